package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/**
 * A window of I/O addresses into which physical ranges are linked: reserve once, link many, sync once, give the device one address range.
 *
 * <pre>{@code
 * IovaReservation window = mapper.newReservation();          // once
 * if (window.tryAlloc(block.phys(0), block.length(), FROM_DEVICE, NONE)) {
 *   long total = window.link(0, block.ranges());             // or link(offset, phys, length) range by range
 *   window.sync(0, total);                                   // now the device may use it
 *   start(window.address(), total);
 *   ...                                                      // the device is done
 *   window.destroy();                                        // now the memory is the caller's again
 * }
 * }</pre>
 *
 * <p>Two links share no granule. Of ranges that follow each other without a gap, every one but the first therefore starts, and every one but the last ends,
 * on the granule, {@link DmaLimits#granule}; a {@link DmaTransfer} handles ranges of any other shape.
 *
 * <p>Used by one thread at a time; reusable after destroy or free; a warm handle allocates nothing. Everything but teardown throws {@link
 * DmaMappingException} DETACHED after the mapper was detached. A {@link DmaTransfer} does all of this, on every stack, in one call.
 */
public final class IovaReservation extends DmaHandle {
  private int flags;
  private long linkedGranules;
  private long address;
  private long length;

  /** Offset of {@link #address} in the window below: granules that only keep low bits of addresses are never linked. */
  private long skipped;

  /** Offset up to which the call under way has linked ranges. */
  private long linkedTo;

  private @Nullable RangeReader reader;

  IovaReservation(DmaMapper mapper) {
    super(mapper);
  }

  /**
   * Reserve a window.
   *
   * @param phys an address of which only the low bits count, those below the granule or within {@link DeviceLimits#minAlignMask}: the window's address
   *     has the same
   * @param length bytes, positive
   * @param direction the permission of everything linked
   * @param attributes {@link DmaAttributes}
   * @return false only where this stack does not translate: use a {@link DmaTransfer}
   * @throws IllegalArgumentException unless the length is positive, or for unknown attributes
   * @throws DmaMappingException IOVA_EXHAUSTED if there is no room, OUT_OF_BOUNDS if there never is
   * @throws IllegalStateException unless idle
   */
  public boolean tryAlloc(long phys, long length, DmaDirection direction, int attributes) {
    return tryAlloc(phys, length, 0, -1L, direction, attributes, false);
  }

  /**
   * Reserve a window with a layout of the caller's choosing; otherwise as {@link #tryAlloc(long, long, DmaDirection, int)}.
   *
   * @param alignment alignment of the granule the window starts in, bytes, a power of two; 0 for the natural one of the length
   * @param highest highest I/O address the window may have, inclusive, beside the device's own limit
   * @param tablesAhead whether to set table memory aside now, so that linking granules cannot fail for lack of it
   * @throws IllegalArgumentException also for an alignment that is no power of two
   */
  public boolean tryAlloc(
      long phys,
      long length,
      long alignment,
      long highest,
      DmaDirection direction,
      int attributes,
      boolean tablesAhead) {
    int request = requestFlags(direction, attributes);
    if (length <= 0) {
      refused(Misuse.BAD_LENGTH, "tryAlloc", phys, length);
      throw new IllegalArgumentException(stack().device + ": length " + length + " of a reservation must be positive");
    }
    if ((alignment & (alignment - 1)) != 0 || alignment < 0) {
      throw new IllegalArgumentException(
          stack().device + ": alignment " + Hex.of(alignment) + " of a reservation must be a power of two");
    }
    claim("tryAlloc");
    AttachedStack stack = stack();
    if (!stack.translates) {
      unclaim();
      return false;
    }
    try {
      int all = tablesAhead ? request | MapFlags.TABLES_AHEAD : request;
      skipped = stack.skipped(phys);
      if (length > Long.MAX_VALUE - skipped) {
        throw new DmaMappingException(
            Reason.OUT_OF_BOUNDS, stack.device + ": no address space holds a reservation of " + Hex.of(length) + " bytes behind " + Hex.of(skipped) + " that keep low bits");
      }
      stack.ops.reserve(
          state(),
          stack.offsetInGranule(phys),
          skipped + length,
          Math.max(alignment, stack.alignment),
          highest,
          all);
    } catch (RuntimeException e) {
      abandon(e);
      throw e;
    }
    flags = request;
    linkedGranules = 0;
    address = state().dmaAddress + skipped;
    this.length = length;
    activate();
    return true;
  }

  /** Return the address the device uses for the window's first byte; it keeps {@code phys mod granule}. */
  public long address() {
    requireActive("address");
    return address;
  }

  /** Return the bytes reserved. */
  public long length() {
    requireActive("length");
    return length;
  }

  /**
   * Link a physical range; the device may use it after {@link #sync}.
   *
   * <p>No granule of the window may hold parts of two links: a range that is followed by another ends on the granule, and one that follows another
   * starts on it.
   *
   * @param offset bytes from {@link #address}, in any order; {@code (address + offset)} and {@code phys} have the same offset within the granule
   * @param phys first byte, memory of this machine
   * @param length bytes, positive, all of one block or of one published range: blocks that are neighbours only by chance are linked one by one, or as
   *     {@link #link(long, PhysRanges)}
   * @return the address the device uses for the range's first byte
   * @throws DmaMappingException MISALIGNED, NOT_BACKED also for a range that runs from one block into the next, TABLE_MEMORY, a bounce layer's reasons, or ALREADY_LINKED if a granule it touches is linked, if
   *     only in part; nothing of this call is linked then
   * @throws IllegalArgumentException for a range outside the window
   */
  public long link(long offset, long phys, long length) {
    AttachedStack stack = stack();
    long linkAddress = address + offset;
    // The rules are one decision here; the other way repeats them one by one, to say which was broken.
    if (isAttachedActive()
        && knowsNoRevocable()
        && (Bounds.outside(offset, length, this.length)
                | pins().outsideMemory(phys, length)
                | Bounds.any((linkAddress ^ phys) & stack.alignMask))
            >= 0) {
      try {
        stack.ops.link(state(), skipped + offset, phys, length, flags, own());
      } catch (RuntimeException e) {
        undo(pins().mark(), e);
        throw e;
      }
    } else {
      linkOther(offset, phys, length);
    }
    linkedGranules += stack.granules(linkAddress, length);
    return linkAddress;
  }

  /** Link a range of memory that is not held yet or that its owner may take back, or refuse it. */
  private void linkOther(long offset, long phys, long length) {
    requireAttachedActive("link");
    requirePhysRange(phys, length);
    requireWithin(offset, length, this.length);
    if ((((address + offset) ^ phys) & stack().alignMask) != 0) {
      throw misaligned(offset, phys, length);
    }
    enterRevocable("link");
    int mark = pins().mark();
    try {
      int peer = LinkableMemory.pin(this, phys, length);
      stack().ops.link(state(), skipped + offset, phys, length, flags | peer, own());
    } catch (RuntimeException e) {
      undo(mark, e);
      throw e;
    } finally {
      leaveRevocable();
    }
  }

  /**
   * Link ranges one behind the other; the device may use them after {@link #sync}.
   *
   * <p>Adjacent ranges of one piece of memory count as one. Every range but the first starts, and every range but the last ends, on the granule.
   *
   * @param offset bytes from {@link #address} at which the first range starts; the two have the same offset within the granule
   * @param source the ranges, read once; may change afterwards
   * @return the bytes linked; 0 for an empty source
   * @throws DmaMappingException as {@link #link(long, long, long)} does; nothing of this call is linked then, but for what could not be taken out again, as a suppressed exception says: it is held
   *     until it is unlinked, or the window is destroyed
   * @throws IllegalArgumentException for a range of length 0, one that wraps, or ranges that leave the window
   */
  public long link(long offset, PhysRanges source) {
    requireAttachedActive("link");
    if (offset < 0 || offset > length) {
      requireWithin(offset, 1, length);
    }
    RangeReader from = reader;
    if (from == null) {
      from = new RangeReader();
      reader = from;
    }
    enterRevocable("link");
    int mark = pins().mark();
    long before = linkedGranules;
    linkedTo = offset;
    try {
      from.start(source, pins());
      for (int count = from.next(stack()); count > 0; count = from.isEnded() ? 0 : from.next(stack())) {
        linkRun(from, count, offset);
      }
      return linkedTo - offset;
    } catch (RuntimeException e) {
      linkedGranules = before;
      undoLink(offset, mark, e);
      throw e;
    } finally {
      from.finish();
      leaveRevocable();
    }
  }

  /** Link the reader's run behind what a call that began at {@code start} has linked. */
  private void linkRun(RangeReader from, int count, long start) {
    AttachedStack stack = stack();
    long end = linkedTo;
    long granules = 0;
    for (int i = 0; i < count; i++) {
      long phys = from.phys[i];
      long bytes = from.length[i];
      requireWithin(end, bytes, length);
      if (((address + end ^ phys) & stack.alignMask) != 0) {
        throw misaligned(end, phys, bytes);
      }
      if (end != start && (phys & (stack.granule - 1)) != 0) {
        throw sharesGranule(end, phys, bytes);
      }
      if (from.kind[i] == RangeKind.BUS_PEER) {
        throw LinkableMemory.busAddress(this, phys, bytes);
      }
      granules += stack.granules(address + end, bytes);
      end += bytes;
    }
    int next = 0;
    while (next < count) {
      int first = next;
      int kind = from.kind[first];
      long bytes = 0;
      while (next < count && from.kind[next] == kind) {
        bytes += from.length[next++];
      }
      stack.ops.linkRun(state(), skipped + linkedTo, from.phys, from.length, first, next, RequestMapper.withKind(flags, kind), own());
      linkedTo += bytes;
    }
    linkedGranules += granules;
  }

  /** Take out what a failed call linked, which was never published, and let go of its memory; where that fails all of it stays linked and held. */
  private void undoLink(long start, int mark, RuntimeException cause) {
    int keptPins = mark;
    if (linkedTo != start) {
      try {
        stack().ops.unlink(state(), skipped + start, linkedTo - start, own());
      } catch (RuntimeException e) {
        cause.addSuppressed(e);
        linkedGranules += stack().granules(address + start, linkedTo - start);
        keptPins = pins().mark();
      }
    }
    undo(keptPins, cause);
  }

  private DmaMappingException sharesGranule(long offset, long phys, long length) {
    refused(Misuse.MISALIGNED, "link", offset, length);
    return new DmaMappingException(
        Reason.MISALIGNED,
        stack().device
            + ": cannot link "
            + Hex.range(phys, length)
            + " at offset "
            + Hex.of(offset)
            + " behind another range: only the first may start off the granule of "
            + Hex.of(stack().granule)
            + "; use a transfer");
  }

  private DmaMappingException misaligned(long offset, long phys, long length) {
    refused(Misuse.MISALIGNED, "link", offset, length);
    return new DmaMappingException(
        Reason.MISALIGNED,
        stack().device
            + ": cannot link "
            + Hex.range(phys, length)
            + " at offset "
            + Hex.of(offset)
            + ": window address "
            + Hex.of(address + offset)
            + " and physical address must agree below "
            + Hex.of(stack().alignMask + 1));
  }

  /**
   * Make what is linked in the range usable by the device; after this, and not before, it may access it. Holes are skipped.
   *
   * <p>It hands over what the device does not own yet, and leaves alone what it does: to hand bytes over again after {@link #syncForCpu}, or after the
   * CPU wrote more, call {@link #syncForDevice}.
   *
   * @throws DmaMappingException if the machine refused, such as a host's limits; what was linked stays linked and unusable
   */
  public void sync(long offset, long length) {
    requireAttachedActive("sync");
    requireWithin(offset, length, this.length);
    enterRevocable("sync");
    try {
      stack().ops.publish(state(), skipped + offset, length, own());
    } catch (RuntimeException e) {
      undo(pins().mark(), e);
      throw e;
    } finally {
      leaveRevocable();
    }
  }

  /**
   * Take a part of what is linked over from the device, so that the CPU reads what it wrote; links and their usability stay.
   *
   * @param offset bytes from {@link #address}; any byte
   * @param length bytes, positive, all of them linked
   * @throws IllegalArgumentException for a part outside the window
   * @throws DmaMappingException DETACHED after detach; REVOKED if memory of the window was taken back
   */
  public void syncForCpu(long offset, long length) {
    syncPart(skipped, offset, length, this.length, DmaOps.TOWARD_CPU);
  }

  /** Hand a part of what is linked over to the device, so that it reads what the CPU wrote; the first time {@link #sync} does it. Otherwise as {@link #syncForCpu}. */
  public void syncForDevice(long offset, long length) {
    syncPart(skipped, offset, length, this.length, DmaOps.TOWARD_DEVICE);
  }

  /** Tell whether ownership must be moved by sync calls. */
  public boolean needsSync() {
    requireActive("needsSync");
    return state().has(MapFlags.NEEDS_SYNC);
  }

  /**
   * Take out what is linked in the range; when this returns the device cannot reach it. The memory stays held until everything is unlinked.
   *
   * @param offset from an edge on the unit, or 0
   * @param length up to an edge on the unit, or to the end of the window
   * @throws DmaMappingException NOT_LINKED for a hole, NOT_SPLITTABLE for an edge inside a leaf or a piece, MISALIGNED for an edge off the unit, before
   *     anything changes; QUARANTINED if the device could not be proved away
   */
  public void unlink(long offset, long length) {
    unlinkWith(offset, length, null);
  }

  /**
   * Take out what is linked in the range; the device may still reach it until {@code batch} completes. Where the reservation holds memory that its owner may take back, it is out when this returns.
   *
   * @throws IllegalStateException if the batch holds work of another address space; nothing changed then
   * @throws DmaMappingException as {@link #unlink(long, long)}
   */
  public void unlink(long offset, long length, InvalidationBatch batch) {
    unlinkWith(offset, length, batch);
  }

  private void unlinkWith(long offset, long length, @Nullable InvalidationBatch batch) {
    requireActive("unlink");
    requireWithin(offset, length, this.length);
    requireUnits(offset, length);
    enterRevocable("unlink");
    try {
      // What may be taken back is proved unreachable here and now, so that its owner can take it back at once.
      takeOut(offset, length, holdsRevocable() ? null : batch);
    } finally {
      leaveRevocable();
    }
  }

  private void takeOut(long offset, long length, @Nullable InvalidationBatch batch) {
    stack().ops.unlink(state(), skipped + offset, length, retirementOf(batch));
    linkedGranules -= stack().granules(address + offset, length);
    if (batch != null) {
      pins().shareWith(batch.pins());
    } else {
      completeOwn();
    }
    if (linkedGranules == 0) {
      pins().releaseAll();
    }
  }

  private void requireUnits(long offset, long length) {
    long mask = stack().unit - 1;
    boolean startFits = offset == 0 || (address + offset & mask) == 0;
    boolean endFits = offset + length == this.length || (address + offset + length & mask) == 0;
    if (!startFits || !endFits) {
      refused(Misuse.MISALIGNED, "unlink", offset, length);
      throw new DmaMappingException(
          Reason.MISALIGNED,
          stack().device
              + ": cannot unlink "
              + Hex.range(offset, length)
              + ": its edges must lie on the unit of "
              + Hex.of(stack().unit)
              + " or on the window's ends");
    }
  }

  /**
   * Give back a window in which nothing is linked, and go idle.
   *
   * @throws IllegalStateException if something is linked; use {@link #destroy()}
   */
  public void free() {
    requireActive("free");
    if (linkedGranules != 0) {
      refused(Misuse.STILL_LINKED, "free", 0, length);
      throw new IllegalStateException(
          stack().device + ": " + linkedGranules + (linkedGranules == 1 ? " granule is" : " granules are") + " still linked; unlink first, or call destroy()");
    }
    destroy();
  }

  /**
   * Take out whatever is linked, give back the window, and go idle; when this returns the memory is the caller's again.
   *
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from the memory
   */
  public void destroy() {
    tearDownWith("destroy", null);
  }

  /**
   * As {@link #destroy()}; memory and I/O addresses are released once {@code batch} completes.
   *
   * @throws IllegalStateException unless a window is reserved, or if the batch holds work of another address space; the window stays as it is then
   */
  public void destroy(InvalidationBatch batch) {
    tearDownWith("destroy", batch);
  }

  @Override
  String howToMap() {
    return "holds no window; call tryAlloc() first, and use a DmaTransfer where it returns false";
  }

  @Override
  @Nullable RuntimeException takeDown(Retirement retirement) {
    return takeDownState(true, retirement);
  }
}
