package io.twostep.backend.iommu;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Retirement;

/**
 * The primitives of one device that does not see CPU caches: those of {@link TableOps}, with ownership of cache lines moved when memory changes hands.
 *
 * <p>Lines are cleaned before the device may look and dropped when the CPU takes over, for exactly the linked bytes: in teardown that is the copy out, so it waits for the
 * invalidation. A range that shares a line with other memory is refused. Coherent memory and peers are left alone;
 * only a bounce layer's slots within a range that has cached memory too are swept with it: the CPU has no line of them, and finding them out would take an entry for each.
 */
final class NonCoherentTableOps extends ForwardingOps {
  /** The ops below, by their own type: calls on the way of every mapping have one target. */
  private final TableOps table;

  private final PhysicalMemory memory;
  private final Refusals refusals;
  private final long granuleMask;
  private final long lineMask;

  /** One for each thread: windows are used by several. */
  private final ThreadLocal<CacheSweep> sweeps;

  private final PartialGranules wholeGranules = new PartialGranules();

  NonCoherentTableOps(TableOps next, TableSpace space, AttachContext context) {
    super(next);
    table = next;
    memory = context.machine().memory();
    refusals = new Refusals(context.device());
    granuleMask = space.granule - 1;
    lineMask = memory.cacheLine() - 1;
    sweeps = ThreadLocal.withInitial(() -> new CacheSweep(space.table, memory, space.granule));
  }

  @Override
  public boolean reaches(long phys, long length) {
    return ((phys | length) & lineMask) == 0 && table.reaches(phys, length);
  }

  @Override
  public int classify(long phys, long length) {
    return table.classify(phys, length);
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    boolean cached = isCached(flags);
    if (cached) {
      requireOwnLines(phys, length, flags);
      memory.cleanCache(phys, length);
    }
    table.map(state, phys, length, flags, undo);
    if (cached) {
      state.flags |= MapFlags.NEEDS_SYNC;
      notePartials(state, state.dmaAddress, length);
    }
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    takeAllBack(state, batch);
    table.unmap(state, batch);
  }

  @Override
  public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
    table.reserve(state, lead, length, alignment, highest, flags);
    table.stateOf(state).partials.clear();
    if (isCached(flags)) {
      state.flags |= MapFlags.NEEDS_SYNC;
    }
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    boolean cached = isCached(flags);
    if (cached) {
      requireOwnLines(phys, length, flags);
    }
    table.link(state, offset, phys, length, flags, undo);
    if (cached && !state.has(MapFlags.WINDOW)) {
      notePartials(state, state.dmaAddress + offset, length);
    }
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    boolean cached = isCached(flags);
    long bytes = 0;
    for (int i = from; i < to; i++) {
      if (cached) {
        requireOwnLines(phys[i], length[i], flags);
      }
      bytes += length[i];
    }
    table.linkRun(state, offset, phys, length, from, to, flags, undo);
    if (cached && !state.has(MapFlags.WINDOW)) {
      notePartials(state, state.dmaAddress + offset, bytes);
    }
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    if (state.has(MapFlags.NEEDS_SYNC)) {
      sync(state, offset, length, TOWARD_DEVICE);
    }
    table.publish(state, offset, length, undo);
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    table.requireLinked(state, offset, length);
    takeBack(state, offset, length, batch);
    table.unlink(state, offset, length, batch);
    if (!state.has(MapFlags.WINDOW)) {
      long first = state.dmaAddress + offset;
      table.stateOf(state).partials.remove(first & ~granuleMask, first + (length - 1) & ~granuleMask);
    }
  }

  /** What can no longer be written is taken back: teardown would not know that it ever could be. */
  @Override
  public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
    if ((access & MapFlags.DEVICE_WRITES) == 0) {
      takeBack(state, offset, length, batch);
    }
    table.protect(state, offset, length, access, batch);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    takeAllBack(state, batch);
    table.release(state, batch);
  }

  @Override
  public void sync(MappingState state, long offset, long length, int toward) {
    if (state.has(MapFlags.NEEDS_SYNC)) {
      long first = state.dmaAddress + offset;
      sweeps.get().move(first, first + (length - 1), toward, partialsOf(state));
    }
  }

  /** Take memory back that no translation leads to any more. */
  @Override
  public void retire(int phase, long phys, long length, long unused) {
    CacheSweep.takeBack(memory, phys, length);
  }

  /** Register what is to be taken back, found by translations that the caller is about to clear. */
  private void takeBack(MappingState state, long offset, long length, Retirement batch) {
    if (state.has(MapFlags.NEEDS_SYNC)) {
      long first = state.dmaAddress + offset;
      sweeps.get().takeBackLater(first, first + (length - 1), partialsOf(state), batch, this);
    }
  }

  private void takeAllBack(MappingState state, Retirement batch) {
    if (state.allocated != 0) {
      takeBack(state, 0, state.length, batch);
      if (state.has(MapFlags.NEEDS_SYNC) && !state.has(MapFlags.WINDOW)) {
        table.stateOf(state).partials.clear();
      }
    }
  }

  private PartialGranules partialsOf(MappingState state) {
    return state.has(MapFlags.WINDOW) ? wholeGranules : table.stateOf(state).partials;
  }

  private void notePartials(MappingState state, long iova, long length) {
    long last = iova + (length - 1);
    long headGranule = iova & ~granuleMask;
    long tailGranule = last & ~granuleMask;
    PartialGranules partials = table.stateOf(state).partials;
    if (headGranule == tailGranule) {
      if (((iova | length) & granuleMask) != 0) {
        partials.add(headGranule, iova, last);
      }
      return;
    }
    if (iova != headGranule) {
      partials.add(headGranule, iova, headGranule | granuleMask);
    }
    if (last != (tailGranule | granuleMask)) {
      partials.add(tailGranule, tailGranule, last);
    }
  }

  private static boolean isCached(int flags) {
    return (flags & (MapFlags.COHERENT_MEMORY | MapFlags.PEER)) == 0;
  }

  private void requireOwnLines(long phys, long length, int flags) {
    if ((flags & DmaAttributes.REQUIRE_COHERENT) != 0) {
      throw refusals.lines(phys, length, "the caller forbade maintaining them; use coherent memory");
    }
    if (((phys | length) & lineMask) != 0) {
      throw refusals.lines(
          phys,
          length,
          "a cache line of 0x%x bytes is shared with memory outside the range; align both edges or add the swiotlb layer"
              .formatted(lineMask + 1));
    }
  }
}
