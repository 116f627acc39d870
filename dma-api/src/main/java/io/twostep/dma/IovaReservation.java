package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/**
 * A window of I/O addresses into which physical ranges are linked: reserve once, link many, sync once, give the device one address range.
 *
 * <pre>{@code
 * IovaReservation window = mapper.newReservation();          // once
 * if (window.tryAlloc(ranges[0].phys(), total, FROM_DEVICE, NONE)) {
 *   long offset = 0;
 *   for (Range range : ranges) {
 *     window.link(offset, range.phys(), range.length());
 *     offset += range.length();
 *   }
 *   window.sync(0, total);                                   // now the device may use it
 *   start(window.address(), total);
 *   ...                                                      // the device is done
 *   window.destroy();                                        // now the memory is the caller's again
 * }
 * }</pre>
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
   * @throws DmaMappingException IOVA_EXHAUSTED if there is no room
   * @throws IllegalStateException unless idle
   */
  public boolean tryAlloc(long phys, long length, DmaDirection direction, int attributes) {
    return tryAlloc(phys, length, 0, -1L, direction, attributes, false);
  }

  /**
   * Reserve a window with a layout of the caller's choosing.
   *
   * @param alignment alignment of the granule the window starts in, bytes, a power of two; 0 for the natural one of the length
   * @param highest highest I/O address the window may have, inclusive, beside the device's own limit
   * @param tablesAhead whether to set table memory aside now, so that linking granules cannot fail for lack of it
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
      throw new IllegalArgumentException(stack().device + ": length " + length + " of a reservation must be positive");
    }
    if ((alignment & (alignment - 1)) != 0 || alignment < 0) {
      throw new IllegalArgumentException(
          stack().device + ": alignment " + Hex.of(alignment) + " of a reservation must be a power of two");
    }
    claim();
    AttachedStack stack = stack();
    if (!stack.translates) {
      unclaim();
      return false;
    }
    try {
      int all = tablesAhead ? request | MapFlags.TABLES_AHEAD : request;
      skipped = stack.skipped(phys);
      stack.ops.reserve(
          state(),
          stack.offsetInGranule(phys),
          Math.addExact(skipped, length),
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
    requireActive();
    return address;
  }

  /** Return the bytes reserved. */
  public long length() {
    requireActive();
    return length;
  }

  /**
   * Link a physical range; the device may use it after {@link #sync}.
   *
   * @param offset bytes from {@link #address}, in any order; {@code (address + offset)} and {@code phys} have the same offset within the granule
   * @param phys first byte, memory of this machine
   * @param length bytes, positive
   * @return the address the device uses for the range's first byte
   * @throws DmaMappingException MISALIGNED, ALREADY_LINKED, NOT_BACKED, TABLE_MEMORY, or a bounce layer's reasons; nothing of this call is linked then
   * @throws IllegalArgumentException for a range outside the window
   */
  public long link(long offset, long phys, long length) {
    requireAttachedActive();
    requirePhysRange(phys, length);
    requireWithin(offset, length, this.length);
    AttachedStack stack = stack();
    long linkAddress = address + offset;
    if (((linkAddress ^ phys) & stack.alignMask) != 0) {
      throw misaligned(offset, phys, length);
    }
    int mark = pins().mark();
    try {
      int peer = pinForLink(phys, length);
      stack.ops.link(state(), skipped + offset, phys, length, flags | peer, own());
    } catch (RuntimeException e) {
      undo(mark, e);
      throw e;
    }
    linkedGranules += granules(linkAddress, length);
    return linkAddress;
  }

  private DmaMappingException misaligned(long offset, long phys, long length) {
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
   * @throws DmaMappingException if the machine refused, such as a host's limits; what was linked stays linked and unusable
   */
  public void sync(long offset, long length) {
    requireAttachedActive();
    requireWithin(offset, length, this.length);
    try {
      stack().ops.publish(state(), skipped + offset, length, own());
    } catch (RuntimeException e) {
      undo(pins().mark(), e);
      throw e;
    }
  }

  /** Take a part of what is linked over from the device, so that the CPU reads what it wrote. */
  public void syncForCpu(long offset, long length) {
    syncPart(skipped, offset, length, this.length, DmaOps.TOWARD_CPU);
  }

  /** Hand a part of what is linked over to the device, so that it reads what the CPU wrote. */
  public void syncForDevice(long offset, long length) {
    syncPart(skipped, offset, length, this.length, DmaOps.TOWARD_DEVICE);
  }

  /** Tell whether ownership must be moved by sync calls. */
  public boolean needsSync() {
    requireActive();
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

  /** Take out what is linked in the range; the device may still reach it until {@code batch} completes. */
  public void unlink(long offset, long length, InvalidationBatch batch) {
    unlinkWith(offset, length, batch);
  }

  private void unlinkWith(long offset, long length, @Nullable InvalidationBatch batch) {
    requireActive();
    requireWithin(offset, length, this.length);
    requireUnits(offset, length);
    stack().ops.unlink(state(), skipped + offset, length, retirementOf(batch));
    linkedGranules -= granules(address + offset, length);
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

  private long granules(long address, long length) {
    long granule = stack().granule;
    long first = address & -granule;
    long last = address + (length - 1) & -granule;
    return ((last - first) >>> Long.numberOfTrailingZeros(granule)) + 1;
  }

  /**
   * Give back a window in which nothing is linked, and go idle.
   *
   * @throws IllegalStateException if something is linked; use {@link #destroy()}
   */
  public void free() {
    requireActive();
    if (linkedGranules != 0) {
      throw new IllegalStateException(
          stack().device + ": " + linkedGranules + " granules are still linked; unlink them or call destroy()");
    }
    destroy();
  }

  /**
   * Take out whatever is linked, give back the window, and go idle; when this returns the memory is the caller's again.
   *
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from the memory
   */
  public void destroy() {
    tearDownWith(null);
  }

  /** As {@link #destroy()}; memory and I/O addresses are released once {@code batch} completes. */
  public void destroy(InvalidationBatch batch) {
    tearDownWith(batch);
  }

  @Override
  @Nullable RuntimeException takeDown(Retirement retirement) {
    return takeDownState(true, retirement);
  }
}
