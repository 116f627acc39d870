package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/**
 * The units of a {@link SparseWindow}: linked run by run, taken out again, and their memory let go of once the device is proved away.
 *
 * <p>Several threads at once, as the window; what a call holds on the way is in its {@link WindowScratch}.
 */
final class WindowUnits {
  private final SparseWindow window;
  private final WindowHolds holds;
  private long length;
  private long unit;
  private @Nullable DirectUnits direct;

  WindowUnits(SparseWindow window) {
    this.window = window;
    this.holds = new WindowHolds(window, this);
  }

  /**
   * Reserve the I/O addresses, or the table of physical ones where nothing translates; called once, before anything else.
   *
   * @throws IllegalArgumentException for a unit or a length that a window cannot have
   */
  void reserve(long length, long unit, int flags) {
    AttachedStack stack = window.stack();
    if (length <= 0) {
      window.refused(Misuse.BAD_LENGTH, "newWindow", 0, length);
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
    MappingState state = window.state();
    state.maxLeaf = unit;
    if (stack.translates) {
      stack.ops.reserve(state, 0, length, Math.max(unit, stack.alignment), -1L, flags);
    } else {
      direct = new DirectUnits(stack, length, unit, window.mapper().slot().coherent(), flags);
      state.length = length;
    }
  }

  long length() {
    return length;
  }

  long unit() {
    return unit;
  }

  WindowHolds holds() {
    return holds;
  }

  /** Tell whether each unit has a DMA address of its own, because nothing translates. */
  boolean isDirect() {
    return direct != null;
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

  /** Link one range and return the address of its first byte. */
  long linkOne(long offset, long phys, long length, int linkFlags) {
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
      return direct == null ? window.state().dmaAddress + offset : scratch.firstAddress;
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
    window.requirePhysRange(phys, bytes);
    requireUnits(offset, bytes);
    if ((phys & (unit - 1)) != 0) {
      window.refused(Misuse.MISALIGNED, "link", offset, bytes);
      throw new DmaMappingException(
          Reason.MISALIGNED,
          window.stack().device
              + ": cannot link "
              + Hex.range(phys, bytes)
              + " into a window: its address must lie on the unit of "
              + Hex.of(unit));
    }
  }

  /** Hold the memory of a range once for each unit, and return the flags it adds. */
  private int hold(WindowScratch scratch, int i) {
    AttachedStack stack = window.stack();
    long phys = scratch.phys[i];
    long bytes = scratch.length[i];
    MemoryRegion region = stack.memory.regionOf(phys, bytes);
    RegionPins.requireMemory(stack, region, phys, bytes);
    int kindFlags = LinkableMemory.flags(window, region, phys, bytes);
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
      window.stack().ops.link(window.state(), scratch.linkedTo, scratch.phys[from], bytes, kindFlags, scratch.retirement);
    } else {
      window.stack()
          .ops
          .linkRun(window.state(), scratch.linkedTo, scratch.phys, scratch.length, from, to, kindFlags, scratch.retirement);
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
    window.stack().ops.publish(window.state(), offset, scratch.linkedTo - offset, scratch.retirement);
    if (sink != null) {
      for (long at = offset; at < scratch.linkedTo; at += unit) {
        give(sink, window.state().dmaAddress + at, at);
      }
    }
  }

  private void give(@Nullable DmaSink sink, long address, long offset) {
    if (sink != null && !sink.accept(address, unit, RangeKind.LOCAL)) {
      throw new SinkRefused(window.stack().device, offset / unit);
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
        clear(scratch, offset, scratch.linkedTo - offset, scratch.retirement);
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

  /** Return the memory linked at a unit, or {@link DmaOps#ABSENT}. */
  long physAt(long offset) {
    DirectUnits units = direct;
    return units == null ? window.stack().ops.physOf(window.state(), offset) : units.physOf(offset);
  }

  /** Change the permission of units that nobody takes out meanwhile. */
  void protect(long offset, long length, int access) {
    for (long at = offset; at < offset + length; at += unit) {
      requireLinked("protect", at, physAt(at));
    }
    WindowScratch scratch = WindowScratch.take();
    try {
      try {
        window.stack().ops.protect(window.state(), offset, length, access, scratch.retirement);
      } catch (RuntimeException e) {
        settle(scratch, e);
        throw e;
      }
      settle(scratch);
    } finally {
      scratch.giveBack();
    }
  }

  /** Clear units that nobody takes out meanwhile, and hand what holds their memory to the scratch. */
  void clear(WindowScratch scratch, long offset, long length, Retirement retirement) {
    AttachedStack stack = window.stack();
    int mark = scratch.pins.mark();
    try {
      for (long at = offset; at < offset + length; at += unit) {
        long phys = physAt(at);
        requireLinked("unlink", at, phys);
        holds.handTo(scratch.pins, stack.memory.regionOf(phys, unit), phys, unit, mark);
      }
      if (direct == null) {
        stack.ops.unlink(window.state(), offset, length, retirement);
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
      window.refused(Misuse.NOT_LINKED, call, offset, unit);
      throw new DmaMappingException(
          Reason.NOT_LINKED, window.stack().device + ": the unit at " + Hex.of(offset) + " of the window is not linked");
    }
  }

  /** Complete what the scratch's retirement waits for, then let go of the memory the scratch holds; not after an {@link Error}, which leaves unknown what the device still reaches. */
  void settle(WindowScratch scratch) {
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
      window.mapper().quarantine().withhold(scratch.retirement, scratch.pins, window.stack());
      scratch.retirement = new Retirement();
    }
  }

  /** Refuse a part that leaves the window or does not lie on units of it. */
  void requireUnits(long offset, long bytes) {
    window.requireWithin(offset, bytes, length);
    if (((offset | bytes) & (unit - 1)) != 0) {
      window.refused(Misuse.NOT_UNITS, "link, unlink or protect", offset, bytes);
      throw new IllegalArgumentException(
          window.stack().device + ": " + Hex.range(offset, bytes) + " does not lie on units of " + Hex.of(unit));
    }
  }

  /** Take down everything that is linked. */
  @Nullable RuntimeException takeDown(Retirement retirement) {
    AttachedStack stack = window.stack();
    for (long at = nextLinked(0); at != DmaOps.ABSENT; at = at + unit < length ? nextLinked(at + unit) : DmaOps.ABSENT) {
      long phys = physAt(at);
      holds.handTo(window.pins(), stack.memory.regionOf(phys, unit), phys, unit, 0);
    }
    return direct == null ? window.takeDownState(true, retirement) : null;
  }

  private long nextLinked(long offset) {
    DirectUnits units = direct;
    return units == null ? window.stack().ops.nextLinked(window.state(), offset, unit) : units.nextLinked(offset);
  }
}
