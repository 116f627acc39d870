package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.Retirement;
import io.twostep.dma.spi.Revocable;
import org.jspecify.annotations.Nullable;

/**
 * A long-lived window of I/O addresses whose units come and go, as on-demand paging needs it.
 *
 * <p>Disjoint units may be linked and unlinked by several threads at once; calls on the same unit are serialised by the caller's lock, and close by the
 * caller's knowledge that no other call runs. Nothing per unit is stored beside the I/O page table; where nothing translates the physical address of
 * each linked unit is, and a record for each run of units that lead to an {@link ImportedBuffer}.
 *
 * <p>Every teardown is strict: when unlink without a batch returns, the device cannot reach the unit. Nothing in a window is ever bounced.
 */
public final class SparseWindow extends DmaHandle {
  private long length;
  private long unit;
  private int flags;
  private @Nullable DirectUnits direct;

  /** The short way for units that come and go one by one; null where nothing translates. */
  private @Nullable SingleUnits singles;

  private final WindowHolds holds = new WindowHolds(this);

  /** There from the first unit of an exported buffer on; read without a lock, since who uses such a unit was told of it by who linked it. */
  private @Nullable ImportedUnits imported;

  SparseWindow(DmaMapper mapper) {
    super(mapper);
  }

  void open(long length, long unit, DmaDirection direction, int attributes) {
    flags = requestFlags(direction, attributes) | MapFlags.STRICT | MapFlags.WINDOW;
    claim("newWindow");
    try {
      reserve(length, unit);
    } catch (RuntimeException e) {
      abandon(e);
      throw e;
    }
    activate();
  }

  private void reserve(long length, long unit) {
    AttachedStack stack = stack();
    if (length <= 0) {
      refused(Misuse.BAD_LENGTH, "newWindow", 0, length);
    }
    if (unit <= 0 || (unit & (unit - 1)) != 0 || unit < stack.granule || length <= 0 || (length & (unit - 1)) != 0) {
      throw new IllegalArgumentException(
          stack.device
              + ": a window of "
              + Hex.of(length)
              + " bytes in units of "
              + Hex.of(unit)
              + ": the unit must be a power of two not below the granule of "
              + Hex.of(stack.granule)
              + ", the length a multiple of it");
    }
    this.length = length;
    this.unit = unit;
    MappingState state = state();
    state.maxLeaf = unit;
    if (stack.translates) {
      stack.ops.reserve(state, 0, length, Math.max(unit, stack.alignment), -1L, flags);
      singles = new SingleUnits(this);
    } else {
      direct = new DirectUnits(stack, length, unit, mapper().slot().coherent(), flags);
      state.length = length;
    }
  }

  /** Return the bytes of the window. */
  public long length() {
    return length;
  }

  /** Return the bytes of a unit. */
  public long unit() {
    return unit;
  }

  /**
   * Return the I/O address of the window's first byte.
   *
   * @throws IllegalStateException where nothing translates: each unit has an address of its own there, given by {@link #link}
   */
  public long address() {
    requireActive("address");
    if (direct != null) {
      throw new IllegalStateException(stack().device + ": nothing translates, so the window has no address of its own; see link");
    }
    return state().dmaAddress;
  }

  /**
   * Link consecutive units and make them usable, with one sync for all of them.
   *
   * @param offset bytes from the window's start, a multiple of the unit
   * @param source ranges whose addresses and lengths are multiples of the unit; read once
   * @param access the permission, within the window's direction
   * @param sink is given one entry per unit, in order; null if the window's address is enough
   * @return units linked; -1 if the sink refused one and everything of this call is undone
   * @throws DmaMappingException ALREADY_LINKED, MISALIGNED, NOT_BACKED, BUS_ADDRESS, PEER_UNREACHABLE, TABLE_MEMORY, UNSUPPORTED where a unit would have to be
   *     bounced, or REVOKED if peer memory of it was taken back, be it during the call: what {@code onRevoke} does not find linked is not linked later; QUARANTINED if the sink refused and that could not be undone.
   *     Nothing of this call stays linked then, but for units that could not be taken out again, as a suppressed exception says: these are linked and held until they are unlinked, or the window is closed
   * @throws IllegalArgumentException for ranges that leave the window or do not lie on units
   */
  public long link(long offset, PhysRanges source, DmaDirection access, @Nullable DmaSink sink) {
    requireAttachedActive("link");
    int linkFlags = linkFlags(access);
    WindowScratch scratch = WindowScratch.take();
    try {
      return link(scratch, offset, source, linkFlags, sink);
    } catch (RuntimeException e) {
      undoLink(scratch, offset, e);
      return failed(e);
    } finally {
      scratch.giveBack();
    }
  }

  /**
   * Link a part of a buffer that somebody else exports and make it usable; otherwise as {@link #link(long, PhysRanges, DmaDirection, DmaSink)}.
   *
   * <p>The buffer cannot go while a unit of it is linked here, even if the import is closed before. When its owner takes it back, its units are holes before the tasks run that import and window were given
   * ({@code onRevoke}); the rest of the window stays as it is. Unlinking units that were taken back is legal once and does nothing; others may be linked there without it. Where nothing translates, and where
   * units wait in a batch, only the driver can let go: it must stop the device's requests, unlink, and complete the batch, or the device is stopped for it.
   *
   * @param offset bytes from the window's start, a multiple of the unit
   * @param buffer an open import of this window's device, mapped or not; may be used from several threads for this
   * @param from first byte within the buffer; the ranges that the part is made of must lie on units
   * @param length bytes, a positive multiple of the unit
   * @param access the permission, within the window's direction and the export's
   * @throws DmaMappingException REVOKED if the buffer was taken back or closed by its owner, or as for other memory; nothing of this call stays linked then
   * @throws IllegalArgumentException for another device's import, a part that leaves buffer or window or does not lie on units, or wider access
   * @throws IllegalStateException if the import is closed
   */
  public long link(long offset, ImportedBuffer buffer, long from, long length, DmaDirection access, @Nullable DmaSink sink) {
    requireAttachedActive("link");
    requireUnits(offset, length);
    return importedUnits().link(offset, buffer, from, length, access, linkFlags(access), sink);
  }

  private ImportedUnits importedUnits() {
    synchronized (holds) {
      ImportedUnits units = imported;
      if (units == null) {
        units = new ImportedUnits(this, holds);
        imported = units;
      }
      return units;
    }
  }

  /** Link what a source gives; what a failure leaves linked or held is for {@link #tryTakeOut} and {@link #settle}. */
  long link(WindowScratch scratch, long offset, PhysRanges source, int linkFlags, @Nullable DmaSink sink) {
    scratch.linkedTo = offset;
    source.rewind();
    for (int count = source.fill(scratch.phys, scratch.length);
        count > 0;
        count = source.fill(scratch.phys, scratch.length)) {
      linkRun(scratch, count, linkFlags, sink);
    }
    if (direct == null && scratch.linkedTo != offset) {
      publish(scratch, offset, sink);
    }
    holds.requireNotTakenBack(scratch, offset);
    return (scratch.linkedTo - offset) / unit;
  }

  /** Return what a link that failed comes to. */
  static long failed(RuntimeException cause) {
    return SinkRefused.result(cause, "what was linked could not be undone; see isLinked");
  }

  /** Link one physical range; as {@link #link(long, PhysRanges, DmaDirection, DmaSink)}. Returns the address of its first byte. */
  public long link(long offset, long phys, long length, DmaDirection access) {
    requireAttachedActive("link");
    int linkFlags = linkFlags(access);
    SingleUnits alone = singles;
    if (alone != null && alone.tryLink(offset, phys, length, linkFlags)) {
      return alone.address(offset);
    }
    return linkRange(offset, phys, length, linkFlags);
  }

  private long linkRange(long offset, long phys, long length, int linkFlags) {
    WindowScratch scratch = WindowScratch.take();
    scratch.linkedTo = offset;
    scratch.phys[0] = phys;
    scratch.length[0] = length;
    try {
      linkRun(scratch, 1, linkFlags, null);
      if (direct == null) {
        publish(scratch, offset, null);
      }
      holds.requireNotTakenBack(scratch, offset);
      return direct == null ? state().dmaAddress + offset : scratch.firstAddress;
    } catch (RuntimeException e) {
      undoLink(scratch, offset, e);
      throw e;
    } finally {
      scratch.giveBack();
    }
  }

  /** Link the scratch's ranges behind what is linked already; what a failure leaves linked or held is for {@link #undoLink}. */
  private void linkRun(WindowScratch scratch, int count, int linkFlags, @Nullable DmaSink sink) {
    long end = scratch.linkedTo;
    int held = 0;
    int linked = 0;
    try {
      for (; held < count; held++) {
        check(end, scratch.phys[held], scratch.length[held]);
        scratch.flags[held] = linkFlags | hold(scratch, held);
        end += scratch.length[held];
      }
      while (linked < count) {
        linked = direct == null ? linkGroup(scratch, linked, count) : linkDirect(scratch, linked, sink);
      }
    } catch (RuntimeException e) {
      for (int i = linked; i < held; i++) {
        holds.handTo(scratch.pins, scratch.region(i), scratch.phys[i], scratch.length[i], 0);
      }
      throw e;
    }
  }

  private void check(long offset, long phys, long bytes) {
    requirePhysRange(phys, bytes);
    requireUnits(offset, bytes);
    if ((phys & (unit - 1)) != 0) {
      refused(Misuse.MISALIGNED, "link", offset, bytes);
      throw new DmaMappingException(
          Reason.MISALIGNED,
          stack().device
              + ": cannot link "
              + Hex.range(phys, bytes)
              + " into a window: its address must lie on the unit of "
              + Hex.of(unit));
    }
  }

  /** Hold the memory of a range once for each unit, and return the flags it adds. */
  private int hold(WindowScratch scratch, int i) {
    AttachedStack stack = stack();
    long phys = scratch.phys[i];
    long bytes = scratch.length[i];
    MemoryRegion region = stack.memory.regionOf(phys, bytes);
    RegionPins.requireMemory(stack, region, phys, bytes);
    int kindFlags = LinkableMemory.flags(this, region, phys, bytes);
    if (!holds.tryHold(scratch, region, phys, bytes)) {
      throw RegionPins.closed(stack, region, phys, bytes);
    }
    scratch.region(i, region);
    return kindFlags;
  }

  /** Link the ranges of one kind from index {@code from} on; returns the index behind them. */
  private int linkGroup(WindowScratch scratch, int from, int count) {
    int kindFlags = scratch.flags[from];
    long bytes = scratch.length[from];
    int to = from + 1;
    while (to < count && scratch.flags[to] == kindFlags) {
      bytes += scratch.length[to++];
    }
    if (to == from + 1) {
      stack().ops.link(state(), scratch.linkedTo, scratch.phys[from], bytes, kindFlags, scratch.retirement);
    } else {
      stack()
          .ops
          .linkRun(state(), scratch.linkedTo, scratch.phys, scratch.length, from, to, kindFlags, scratch.retirement);
    }
    scratch.linkedTo += bytes;
    return to;
  }

  private int linkDirect(WindowScratch scratch, int i, @Nullable DmaSink sink) {
    DirectUnits units = directUnits();
    long start = scratch.linkedTo;
    long bytes = scratch.length[i];
    try {
      for (long done = 0; done < bytes; done += unit) {
        long phys = scratch.phys[i] + done;
        long address = units.dmaAddress(scratch, phys, scratch.flags[i]);
        if (done == 0) {
          scratch.firstAddress = address;
        }
        units.link(start + done, phys);
        scratch.linkedTo += unit;
        give(sink, address, start + done);
      }
    } catch (RuntimeException e) {
      units.unlink(start, scratch.linkedTo - start);
      scratch.linkedTo = start;
      throw e;
    }
    return i + 1;
  }

  private void publish(WindowScratch scratch, long offset, @Nullable DmaSink sink) {
    stack().ops.publish(state(), offset, scratch.linkedTo - offset, scratch.retirement);
    if (sink != null) {
      for (long at = offset; at < scratch.linkedTo; at += unit) {
        give(sink, state().dmaAddress + at, at);
      }
    }
  }

  private void give(@Nullable DmaSink sink, long address, long offset) {
    if (sink != null && !sink.accept(address, unit, RangeKind.LOCAL)) {
      throw new SinkRefused(stack().device, offset / unit);
    }
  }

  /** Take out again what a call has linked, and let go of what the scratch holds; what goes wrong on the way is added to {@code cause}. */
  void undoLink(WindowScratch scratch, long offset, RuntimeException cause) {
    tryTakeOut(scratch, offset, cause);
    settle(scratch, cause);
  }

  /** Take out again what a call has linked; where that fails all of it stays, with what holds its memory, and false is returned. */
  boolean tryTakeOut(WindowScratch scratch, long offset, RuntimeException cause) {
    try {
      if (scratch.linkedTo != offset) {
        clearUnits(scratch, offset, scratch.linkedTo - offset, scratch.retirement);
      }
      return true;
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
      return false;
    }
  }

  /** Complete and let go, for a call that failed; what goes wrong is added to {@code cause}. */
  void settle(WindowScratch scratch, RuntimeException cause) {
    try {
      settle(scratch);
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
    }
  }

  private DirectUnits directUnits() {
    DirectUnits units = direct;
    if (units == null) {
      throw new IllegalStateException("the stack translates");
    }
    return units;
  }

  /**
   * Tell whether the unit that {@code offset} lies in is linked.
   *
   * @throws IllegalArgumentException for an offset outside the window
   */
  public boolean isLinked(long offset) {
    requireActive("isLinked");
    requireWithin(offset, 1, length);
    return physAt(offset & -unit) != DmaOps.ABSENT;
  }

  /** Return the memory linked at a unit, or {@link DmaOps#ABSENT}. */
  long physAt(long offset) {
    DirectUnits units = direct;
    return units == null ? stack().ops.physOf(state(), offset) : units.physOf(offset);
  }

  /**
   * Change the permission of linked units; when this returns the device has the new one only.
   *
   * @throws DmaMappingException NOT_LINKED for a hole, before anything changes; UNSUPPORTED where nothing translates or the stack cannot
   * @throws IllegalArgumentException for a part that does not lie on units of the window, or access wider than the window's or an export's in it
   */
  public void protect(long offset, long length, DmaDirection access) {
    requireAttachedActive("protect");
    int linkFlags = linkFlags(access);
    requireUnits(offset, length);
    if (direct != null) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED, stack().device + ": nothing translates for this device, so nothing can change its permissions");
    }
    ImportedUnits units = imported;
    if (units == null) {
      protectUnits(offset, length, linkFlags & MapFlags.ACCESS);
    } else {
      units.protect(offset, length, access);
    }
  }

  /** Change the permission of units that nobody takes out meanwhile. */
  void protectUnits(long offset, long length, int access) {
    for (long at = offset; at < offset + length; at += unit) {
      requireLinked("protect", at, physAt(at));
    }
    WindowScratch scratch = WindowScratch.take();
    try {
      try {
        stack().ops.protect(state(), offset, length, access, scratch.retirement);
      } catch (RuntimeException e) {
        settle(scratch, e);
        throw e;
      }
      settle(scratch);
    } finally {
      scratch.giveBack();
    }
  }

  /**
   * Unlink units; when this returns the device cannot reach them.
   *
   * @param offset bytes from the window's start, a multiple of the unit
   * @param length bytes, a positive multiple of the unit
   * @throws DmaMappingException NOT_LINKED for a hole, before anything changes; QUARANTINED if the device could not be proved away
   */
  public void unlink(long offset, long length) {
    requireActive("unlink");
    SingleUnits alone = singles;
    if (alone == null || imported != null || !alone.tryUnlink(offset, length)) {
      unlinkUnits(offset, length);
    }
  }

  private void unlinkUnits(long offset, long length) {
    requireUnits(offset, length);
    WindowScratch scratch = WindowScratch.take();
    try {
      clear(scratch, offset, length, scratch.retirement);
      settle(scratch);
    } catch (RuntimeException e) {
      settle(scratch, e);
      throw e;
    } finally {
      scratch.giveBack();
    }
  }

  /**
   * Unlink units; the device may still reach them, and their memory stays held, until {@code batch} completes.
   *
   * @throws IllegalStateException if the batch holds work of another address space; nothing changed then
   * @throws DmaMappingException NOT_LINKED for a hole, before anything changes
   */
  public void unlink(long offset, long length, InvalidationBatch batch) {
    requireActive("unlink");
    requireUnits(offset, length);
    Retirement retirement = batch.retirementFor(stack());
    WindowScratch scratch = WindowScratch.take();
    try {
      clear(scratch, offset, length, retirement);
    } finally {
      scratch.pins.moveTo(batch.pins());
      scratch.giveBack();
    }
  }

  /** Clear units and hand what holds their memory to the scratch, also what was cleared before a failure. */
  private void clear(WindowScratch scratch, long offset, long length, Retirement retirement) {
    ImportedUnits units = imported;
    if (units == null) {
      clearUnits(scratch, offset, length, retirement);
    } else {
      units.clear(scratch, offset, length, retirement);
    }
  }

  /** Clear units that nobody takes out meanwhile, and hand what holds their memory to the scratch. */
  void clearUnits(WindowScratch scratch, long offset, long length, Retirement retirement) {
    AttachedStack stack = stack();
    int mark = scratch.pins.mark();
    try {
      for (long at = offset; at < offset + length; at += unit) {
        long phys = physAt(at);
        requireLinked("unlink", at, phys);
        holds.handTo(scratch.pins, stack.memory.regionOf(phys, unit), phys, unit, mark);
      }
      if (direct == null) {
        stack.ops.unlink(state(), offset, length, retirement);
      } else {
        directUnits().unlink(offset, length);
      }
    } catch (RuntimeException e) {
      scratch.pins.forgetTo(mark);
      throw e;
    }
  }

  /** Refuse a hole. */
  void requireLinked(String call, long offset, long phys) {
    if (phys == DmaOps.ABSENT) {
      refused(Misuse.NOT_LINKED, call, offset, unit);
      throw new DmaMappingException(
          Reason.NOT_LINKED, stack().device + ": the unit at " + Hex.of(offset) + " of the window is not linked");
    }
  }

  /** Complete what the scratch's retirement waits for, then let go of the memory the scratch holds; not after an {@link Error}, which leaves unknown what the device still reaches. */
  private void settle(WindowScratch scratch) {
    try {
      complete(scratch);
    } catch (RuntimeException e) {
      scratch.pins.releaseAll();
      throw e;
    }
    scratch.pins.releaseAll();
  }

  /** Complete what the scratch's retirement waits for; what cannot be invalidated is quarantined with the memory the scratch holds. */
  void complete(WindowScratch scratch) {
    try {
      scratch.retirement.complete();
    } catch (RuntimeException e) {
      withhold(scratch);
      throw e;
    }
  }

  /** Quarantine what a completion that failed could not invalidate, with the memory the scratch holds; whatever it could leaves nothing to do. */
  void withhold(WindowScratch scratch) {
    if (!scratch.retirement.isEmpty()) {
      mapper().quarantine().withhold(scratch.retirement, scratch.pins, stack());
      scratch.retirement = new Retirement();
    }
  }

  private void requireUnits(long offset, long bytes) {
    requireWithin(offset, bytes, length);
    if (((offset | bytes) & (unit - 1)) != 0) {
      refused(Misuse.NOT_UNITS, "link, unlink or protect", offset, bytes);
      throw new IllegalArgumentException(
          stack().device + ": " + Hex.range(offset, bytes) + " does not lie on units of " + Hex.of(unit));
    }
  }

  /** Return the flags of a link with a permission, which must lie within the window's. */
  private int linkFlags(DmaDirection access) {
    if ((access.access() & ~flags & MapFlags.ACCESS) != 0) {
      refused(Misuse.WIDER_ACCESS, "link or protect", 0, length);
      throw new IllegalArgumentException(stack().device + ": " + access + " is wider than the window's direction");
    }
    return (flags & ~MapFlags.ACCESS) | access.access();
  }

  /**
   * Take a part over from the device, so that the CPU reads what it wrote.
   *
   * @param offset bytes from the window's start; any byte
   * @param length bytes, positive, all of them linked
   * @throws IllegalArgumentException for a part outside the window
   * @throws DmaMappingException DETACHED after detach
   */
  public void syncForCpu(long offset, long length) {
    sync(offset, length, DmaOps.TOWARD_CPU);
  }

  /** Hand a part over to the device, so that it reads what the CPU wrote; as {@link #syncForCpu}. */
  public void syncForDevice(long offset, long length) {
    sync(offset, length, DmaOps.TOWARD_DEVICE);
  }

  private void sync(long offset, long length, int toward) {
    ImportedUnits units = imported;
    if (units == null) {
      syncUnits(offset, length, toward);
    } else {
      units.sync(offset, length, toward);
    }
  }

  /** Move ownership of a part from which nobody takes units meanwhile. */
  void syncUnits(long offset, long length, int toward) {
    syncPart(0, offset, length, this.length, toward);
  }

  /** Memory of units was taken back by its owner: see to it that they are gone, or have the driver do that. */
  void takenBack(Revocable memory) {
    ImportedUnits units = imported;
    if (units != null) {
      units.takenBack(memory);
    }
    tellRevoked();
  }

  @Override
  @Nullable RuntimeException takeDown(Retirement retirement) {
    ImportedUnits units = imported;
    return units == null ? takeDownUnits(retirement) : units.takeDown(retirement);
  }

  /** Take down everything that is linked. */
  @Nullable RuntimeException takeDownUnits(Retirement retirement) {
    AttachedStack stack = stack();
    for (long at = nextLinked(0); at != DmaOps.ABSENT; at = at + unit < length ? nextLinked(at + unit) : DmaOps.ABSENT) {
      long phys = physAt(at);
      holds.handTo(pins(), stack.memory.regionOf(phys, unit), phys, unit, 0);
    }
    return direct == null ? takeDownState(true, retirement) : null;
  }

  private long nextLinked(long offset) {
    DirectUnits units = direct;
    return units == null ? stack().ops.nextLinked(state(), offset, unit) : units.nextLinked(offset);
  }
}
