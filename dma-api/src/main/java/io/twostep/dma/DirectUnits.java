package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The units of a window where nothing translates: the physical address of each one that is linked, since no table remembers it.
 *
 * <p>Only memory that the device reaches as it is can be linked: a window has no moment to copy or to maintain caches.
 */
final class DirectUnits {
  /** Marks a linked unit; units are aligned, so the lowest address bit is free. */
  private static final long LINKED = 1;

  private final AttachedStack stack;
  private final AtomicLongArray units;
  private final int shift;

  /**
   * Create an empty table.
   *
   * @throws DmaMappingException UNSUPPORTED if there are more units than a table holds, or memory that the device does not reach
   */
  DirectUnits(AttachedStack stack, long length, long unit, boolean coherent, int flags) {
    this.stack = stack;
    this.shift = Long.numberOfTrailingZeros(unit);
    long count = length >>> shift;
    long frame = stack.memory.frameSize();
    if (count > Integer.MAX_VALUE - 8 || unit < 2) {
      throw unsupported("has " + count + " units of " + Hex.of(unit) + ", which needs translation");
    }
    if (!coherent || !stack.ops.reaches(stack.memory.highestAddress() & -frame, frame)) {
      throw unsupported(
          coherent
              ? "would hold memory that the device cannot address"
              : "would hold memory whose caches must be maintained");
    }
    requireNoUnmap(flags);
    this.units = new AtomicLongArray((int) count);
  }

  /** Map one frame to see whether a layer must hear of its unmap: units of a window are taken out without one. */
  private void requireNoUnmap(int flags) {
    long frame = stack.memory.frameSize();
    MappingState probe = new MappingState(stack.layers);
    Retirement undo = new Retirement();
    undo.undo(true);
    try (MemoryBlock block = stack.memory.allocate(frame, MemoryPlacement.CONTIGUOUS)) {
      RegionPins pins = new RegionPins();
      try {
        pins.pin(stack, block.phys(0), frame);
        stack.ops.map(probe, block.phys(0), frame, flags, undo);
        if (probe.has(MapFlags.NEEDS_UNMAP)) {
          stack.ops.unmap(probe, undo);
          throw unsupported("lies below a layer that must hear of every unmap, or bounces");
        }
      } finally {
        undo.complete();
        pins.releaseAll();
      }
    }
  }

  private DmaMappingException unsupported(String why) {
    return new DmaMappingException(
        Reason.UNSUPPORTED, stack.device + ": nothing translates for this device, and the window " + why + "; use transfers");
  }

  /** Return the physical address linked at {@code offset}, or {@link DmaOps#ABSENT}. */
  long physOf(long offset) {
    long stored = units.get(index(offset));
    return stored == 0 ? DmaOps.ABSENT : stored & ~LINKED;
  }

  /** Link one unit. */
  void link(long offset, long phys) {
    if (!units.compareAndSet(index(offset), 0, phys | LINKED)) {
      throw new DmaMappingException(
          Reason.ALREADY_LINKED, stack.device + ": the unit at " + Hex.of(offset) + " of the window is linked; unlink it first");
    }
  }

  /** Unlink the units from {@code offset} on. */
  void unlink(long offset, long length) {
    for (int i = index(offset), end = index(offset + length); i < end; i++) {
      units.set(i, 0);
    }
  }

  /** Return the first linked offset from {@code offset} on, or {@link DmaOps#ABSENT}. */
  long nextLinked(long offset) {
    for (int i = index(offset); i < units.length(); i++) {
      if (units.get(i) != 0) {
        return (long) i << shift;
      }
    }
    return DmaOps.ABSENT;
  }

  /** Return the address the device uses for a unit of memory. */
  long dmaAddress(WindowScratch scratch, long phys, int flags) {
    MappingState probe = scratch.probe(stack);
    stack.ops.map(probe, phys, 1L << shift, flags, scratch.retirement);
    if (probe.has(MapFlags.NEEDS_UNMAP)) {
      forget(scratch, probe);
      throw unsupported("cannot hold " + Hex.range(phys, 1L << shift) + ", which would have to be bounced");
    }
    return probe.dmaAddress;
  }

  /** Unmap what only was to be tried, before the device hears of it. */
  private void forget(WindowScratch scratch, MappingState probe) {
    scratch.retirement.undo(true);
    try {
      stack.ops.unmap(probe, scratch.retirement);
      scratch.retirement.complete();
    } finally {
      scratch.retirement.undo(false);
    }
  }

  private int index(long offset) {
    return (int) (offset >>> shift);
  }
}
