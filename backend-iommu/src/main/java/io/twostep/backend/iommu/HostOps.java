package io.twostep.backend.iommu;

import io.twostep.backend.iommu.table.TableResult;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;

/**
 * The primitives of one device whose IOMMU a host kernel programs.
 *
 * <p>Link only takes notes: the host is called in publish, once for each maximal run of one link call, and in teardown, once for each run. A run goes only
 * whole. A run that the host does not confirm to have unmapped stays noted, its I/O addresses stay taken, and teardown may be called again.
 */
final class HostOps extends TranslatingOps {
  private final HostSpace space;
  private final HostManagedIommu iommu;

  /** Whether the device is not trusted, and could read what it may only write. */
  private final boolean writersMustNotRead;

  HostOps(HostSpace space, AttachContext context, Runnable detached) {
    super(space, context, null, detached);
    this.space = space;
    iommu = space.iommu;
    writersMustNotRead = space.untrusted && !iommu.enforcesWriteOnly();
  }

  @Override
  public boolean enforcesWriteOnly() {
    return iommu.enforcesWriteOnly();
  }

  @Override
  public String whyUntracked() {
    return "a host keeps its translations and tells nobody which pages were written; have the device track";
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    if ((flags & (MapFlags.PEER | MapFlags.OWNED)) == 0) {
      refusals.requireMemory(memory, phys, length);
    }
    requireServable(phys, length, flags);
    long low = phys & alignMask;
    long bytes = roundUp(low + length);
    long base = addresses.allocate(bytes, alignGranules, -1L, flags);
    HostState mine = stateOf(state);
    long first = base + low & ~granuleMask;
    try {
      iommu.map(first, phys & ~granuleMask, bytes - (first - base), flags & MapFlags.ACCESS);
    } catch (RuntimeException e) {
      allocator.free(base, bytes >>> granuleShift);
      throw refusals.byHost(e, first, phys, length);
    }
    mine.runs.add(first, phys & ~granuleMask, bytes - (first - base), flags & MapFlags.ACCESS);
    mine.runs.setMapped(0, mine.publishes);
    take(state, mine, base, low, length, bytes, flags);
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    release(state, batch);
  }

  @Override
  public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
    if ((flags & MapFlags.TABLES_AHEAD) != 0) {
      throw refusals.noTablesAheadOnHost();
    }
    if ((flags & MapFlags.WINDOW) != 0) {
      requireSlots(state, length);
    }
    long bytes = roundUp(lead + length);
    long base = addresses.allocate(bytes, Math.max(alignGranules, alignment >>> granuleShift), highest, flags);
    take(state, stateOf(state), base, lead, length, bytes, flags);
  }

  /** A window takes one host mapping for each unit, so that each can go alone; there must be slots for all of them. */
  private void requireSlots(MappingState state, long length) {
    long units = Long.divideUnsigned(length - 1, state.maxLeaf) + 1;
    long slots = iommu.mappingSlots();
    if (units > slots) {
      throw refusals.slots(units, slots);
    }
  }

  private void take(MappingState state, HostState mine, long base, long low, long length, long bytes, int flags) {
    mine.base = base;
    state.dmaAddress = base + low;
    state.length = length;
    state.allocated = bytes;
    state.flags = flags | MapFlags.NEEDS_UNMAP;
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    long iova = state.dmaAddress + offset;
    requireLinkable(iova, phys, length, flags);
    HostState mine = stateOf(state);
    long first = iova & ~granuleMask;
    long bytes = roundUp(iova + length) - first;
    synchronized (mine) {
      if (mine.runs.overlaps(first, first + (bytes - 1))) {
        throw refusals.table(TableResult.ALREADY_LINKED, "link", phys, length, iova);
      }
      addRun(state, mine, first, phys & ~granuleMask, bytes, flags & MapFlags.ACCESS);
    }
  }

  /** Note a run; in a window one for each unit. */
  private static void addRun(MappingState state, HostState mine, long iova, long phys, long bytes, int access) {
    long unit = state.has(MapFlags.WINDOW) ? state.maxLeaf : bytes;
    for (long done = 0; done < bytes; done += unit) {
      mine.runs.add(iova + done, phys + done, Math.min(unit, bytes - done), access);
    }
  }

  private void requireLinkable(long iova, long phys, long length, int flags) {
    if (((iova ^ phys) & alignMask) != 0) {
      throw refusals.table(TableResult.MISALIGNED, "link", phys, length, iova);
    }
    requireServable(phys, length, flags);
  }

  /** Refuse what would show the device bytes that it must not see: beside the range, or in it where the host lets writers read. */
  private void requireServable(long phys, long length, int flags) {
    edges.require(phys, length, flags);
    if (writersMustNotRead && (flags & (MapFlags.ACCESS | MapFlags.OWNED | MapFlags.PEER)) == MapFlags.DEVICE_WRITES) {
      throw refusals.readByWriters(phys, length);
    }
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    long iova = state.dmaAddress + offset;
    long bytes = requireRun(iova, phys, length, from, to, flags);
    HostState mine = stateOf(state);
    long first = iova & ~granuleMask;
    long last = (iova + (bytes - 1)) | granuleMask;
    synchronized (mine) {
      if (mine.runs.overlaps(first, last)) {
        throw refusals.table(TableResult.ALREADY_LINKED, "link a run that begins with", phys[from], bytes, iova);
      }
      long at = first;
      int i = from;
      while (i < to) {
        long start = phys[i] & ~granuleMask;
        long end = phys[i] + length[i];
        i++;
        while (i < to && phys[i] == end) {
          end += length[i++];
        }
        long run = roundUp(end) - start;
        addRun(state, mine, at, start, run, flags & MapFlags.ACCESS);
        at += run;
      }
    }
  }

  /** Check every range of a run, and return its bytes: only the outer edges may lie off the granule. */
  private long requireRun(long iova, long[] phys, long[] length, int from, int to, int flags) {
    long at = iova;
    for (int i = from; i < to; i++) {
      if (i > from && (at & granuleMask) != 0) {
        throw refusals.table(TableResult.MISALIGNED, "link", phys[i], length[i], at);
      }
      requireLinkable(at, phys[i], length[i], flags);
      at += length[i];
    }
    return at - iova;
  }

  /** Have the host map every run that touches the range, or none; only this call's are undone. */
  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    HostState mine = stateOf(state);
    long first = state.dmaAddress + offset;
    long last = first + (length - 1);
    synchronized (mine) {
      HostRuns runs = mine.runs;
      long call = ++mine.publishes;
      int from = runs.firstFrom(first);
      for (int run = from; run < runs.count() && Long.compareUnsigned(runs.iova(run), last) <= 0; run++) {
        if (!runs.isUsable(run)) {
          mapRun(runs, from, run, call);
        }
      }
    }
  }

  private void mapRun(HostRuns runs, int from, int run, long call) {
    RuntimeException e;
    if (runs.isMapped(run) && !tryUnmap(runs, run)) {
      // What an earlier call could not undo: nobody knows how much of it is there.
      e = refusals.stuck(runs.iova(run), runs.length(run));
    } else {
      try {
        iommu.map(runs.iova(run), runs.phys(run), runs.length(run), runs.access(run));
        runs.setMapped(run, call);
        return;
      } catch (RuntimeException refusal) {
        e = refusals.byHost(refusal, runs.iova(run), runs.phys(run), runs.length(run));
      }
    }
    for (int back = from; back < run; back++) {
      if (runs.isMappedBy(back, call) && !tryUnmap(runs, back)) {
        e.addSuppressed(refusals.stuck(runs.iova(back), runs.length(back)));
      }
    }
    throw e;
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    HostState mine = stateOf(state);
    long first = state.dmaAddress + offset & ~granuleMask;
    long last = (state.dmaAddress + offset + (length - 1)) | granuleMask;
    synchronized (mine) {
      HostRuns runs = mine.runs;
      int from = runs.firstFrom(first);
      int to = requireWholeRuns(runs, from, first, last, length);
      unmapRuns(runs, from, to);
      runs.remove(from, to);
    }
  }

  /** Check that [first, last] is exactly whole runs without a hole, and return the run behind them. */
  private int requireWholeRuns(HostRuns runs, int from, long first, long last, long length) {
    long at = first;
    int run = from;
    while (true) {
      if (run == runs.count() || Long.compareUnsigned(runs.iova(run), at) > 0) {
        throw refusals.table(TableResult.NOT_LINKED, "unlink", 0, length, first);
      }
      long end = runs.iova(run) + (runs.length(run) - 1);
      if (runs.iova(run) != at || Long.compareUnsigned(end, last) > 0) {
        throw refusals.table(TableResult.NOT_SPLITTABLE, "unlink", 0, length, first);
      }
      run++;
      if (end == last) {
        return run;
      }
      at = end + 1;
    }
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    if (state.allocated == 0) {
      return;
    }
    HostState mine = stateOf(state);
    synchronized (mine) {
      unmapRuns(mine.runs, 0, mine.runs.count());
      mine.runs.remove(0, mine.runs.count());
    }
    giveBack(state, mine.base, 0, batch);
  }

  /** Have the host unmap runs, each whatever becomes of the others. */
  private void unmapRuns(HostRuns runs, int from, int to) {
    DmaMappingException failure = null;
    for (int run = from; run < to; run++) {
      if (runs.isMapped(run) && !tryUnmap(runs, run)) {
        DmaMappingException stuck = refusals.stuck(runs.iova(run), runs.length(run));
        if (failure == null) {
          failure = stuck;
        } else {
          failure.addSuppressed(stuck);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  private boolean tryUnmap(HostRuns runs, int run) {
    return runs.confirmUnmapped(run, iommu.unmap(runs.iova(run), runs.length(run)));
  }

  @Override
  public long physOf(MappingState state, long offset) {
    HostState mine = stateOf(state);
    long iova = state.dmaAddress + offset;
    synchronized (mine) {
      int run = mine.runs.firstFrom(iova);
      boolean linked = run < mine.runs.count() && Long.compareUnsigned(mine.runs.iova(run), iova) <= 0;
      return linked ? mine.runs.phys(run) + (iova - mine.runs.iova(run)) : ABSENT;
    }
  }

  @Override
  public long nextLinked(MappingState state, long offset, long step) {
    HostState mine = stateOf(state);
    synchronized (mine) {
      int run = mine.runs.firstFrom(state.dmaAddress + offset);
      if (run == mine.runs.count()) {
        return ABSENT;
      }
      long found = Math.max(offset, mine.runs.iova(run) - state.dmaAddress);
      return offset + (found - offset) / step * step;
    }
  }

  @Override
  public void retire(int phase, long a, long b, long c) {
    allocator.free(a, b);
  }

  private HostState stateOf(MappingState state) {
    if (state.terminal instanceof HostState mine && mine.space == space) {
      return mine;
    }
    HostState mine = new HostState(space);
    state.terminal = mine;
    return mine;
  }
}
