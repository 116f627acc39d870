package io.twostep.backend.iommu;

import io.twostep.backend.iommu.iova.FlushQueue;
import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.KeptRange;
import io.twostep.backend.iommu.table.LeafAccess;
import io.twostep.backend.iommu.table.LeafCursor;
import io.twostep.backend.iommu.table.LeafLinker;
import io.twostep.backend.iommu.table.PageWindow;
import io.twostep.backend.iommu.table.RadixPageTable;
import io.twostep.backend.iommu.table.TableMemory;
import io.twostep.backend.iommu.table.TablePages;
import io.twostep.backend.iommu.table.TableResult;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DirtyTracker;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import io.twostep.dma.spi.TableWalkingIommu;
import org.jspecify.annotations.Nullable;

/**
 * The primitives of one device behind tables that this backend owns.
 *
 * <p>Teardown clears translations, then has the batch invalidate, then free tables, then I/O addresses. A handle keeps the leaf table it linked in last, because no
 * table inside a live reservation is freed; a window keeps nothing, because several threads use it.
 */
final class TableOps extends TranslatingOps {
  /** Each thread's chain for the tables that its links in windows replace, since threads share a window. Empty between calls: it holds no address space. */
  private static final ThreadLocal<TablePages> REPLACED = ThreadLocal.withInitial(TablePages::new);

  /** What is added to the place of who keeps a range, for 0 to mean that nobody does. */
  private static final long KEPT = 1;

  private final TableSpace space;
  private final TableWalkingIommu iommu;
  private final RadixPageTable table;
  private final LeafLinker leaves;
  private final @Nullable FlushQueue queue;
  private final long highestPhys;
  private final int snoop;

  /** Reservations that found no memory for all their tables: empty until the invalidation of one fails. Its own lock. */
  private final Retirement abandoned = new Retirement();

  TableOps(TableSpace space, AttachContext context, Runnable detached) {
    super(space, context, space.queue, detached);
    this.space = space;
    iommu = space.iommu;
    table = space.table;
    leaves = table.leaves();
    queue = space.queue;
    highestPhys = -1L >>> (Long.SIZE - space.choice.format().outputBits());
    snoop = context.slot().coherent() ? LeafAccess.COHERENT : 0;
  }

  /** Return the most bytes whose I/O addresses come from a cache. */
  @Override
  public long optimalMappingLength() {
    return Math.min(IovaAllocator.CACHED_GRANULES << granuleShift, maxMappingLength());
  }

  @Override
  public boolean reaches(long phys, long length) {
    return super.reaches(phys, length) && Long.compareUnsigned(phys + (length - 1), highestPhys) <= 0;
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    if ((flags & (MapFlags.PEER | MapFlags.OWNED)) == 0) {
      refusals.requireMemory(memory, phys, length);
    }
    edges.require(phys, length, flags);
    TableState mine = stateOf(state);
    long low = phys & alignMask;
    long bytes = roundUp(low + length);
    long base = addresses.allocate(mine.keeper(), bytes, alignGranules, -1L, flags);
    long iova = base + low;
    int result = table.map(iova, phys, length, access(flags), state.maxLeaf, mine.cursor, mine.detached);
    if (result != TableResult.OK) {
      giveBackRefused(state, mine, base, bytes, result, undo);
      throw refusals.table(result, "map", phys, length, iova);
    }
    mine.base = base;
    state.dmaAddress = iova;
    state.length = length;
    state.allocated = bytes;
    state.flags = flags | MapFlags.NEEDS_UNMAP;
    try {
      show(iova, iova + (length - 1), mine.detached);
    } catch (RuntimeException e) {
      clearStrictly(state, mine, undo);
      throw e;
    }
  }

  /** Give back the addresses of a refused mapping, and the tables that were built before memory for more ran out: others need it. */
  private void giveBackRefused(MappingState state, TableState mine, long base, long bytes, int result, Retirement undo) {
    if (result != TableResult.TABLE_MEMORY) {
      allocator.free(base, bytes >>> granuleShift);
      return;
    }
    mine.base = base;
    state.allocated = bytes;
    clearStrictly(state, mine, undo);
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    if (state.allocated == 0) {
      return;
    }
    FlushQueue lazy = queue;
    if (lazy != null
        && batch.isDeferrable()
        && (state.flags & (MapFlags.STRICT | MapFlags.WINDOW | MapFlags.BOUNCED)) == 0) {
      clearLazily(lazy, state, stateOf(state));
    } else {
      clearStrictly(state, stateOf(state), batch);
    }
  }

  @Override
  public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
    long bytes = roundUp(lead + length);
    TableState mine = stateOf(state);
    long base =
        addresses.allocate(mine.keeper(), bytes, Math.max(alignGranules, alignment >>> granuleShift), highest, flags);
    table.renew(mine.cursor);
    mine.base = base;
    mine.touched = (flags & MapFlags.WINDOW) != 0;
    mine.window =
        mine.touched && state.maxLeaf == TableMemory.PAGE && bytes <= PageWindow.LONGEST
            ? table.pageWindow(base, base + (bytes - 1))
            : null;
    if ((flags & MapFlags.TABLES_AHEAD) != 0) {
      prepare(state, base, bytes);
    }
    permitLeaves(mine, flags & ~MapFlags.TABLES_AHEAD, Long.compareUnsigned(state.maxLeaf, LeafLinker.LARGE) >= 0);
    state.dmaAddress = base + lead;
    state.length = length;
    state.allocated = bytes;
    state.flags = flags | MapFlags.NEEDS_UNMAP;
  }

  /** Let links with these flags take the short way, unless a leaf needs more than its table does. */
  private void permitLeaves(TableState mine, int linkFlags, boolean large) {
    if (!mine.cursor.permits(linkFlags, large)) {
      boolean simple = alignMask == granuleMask && (linkFlags & MapFlags.WINDOW) == 0;
      mine.cursor.permit(linkFlags, simple ? leaves.attributes(access(linkFlags)) : 0, large);
    }
  }

  /** Build all leaf tables of a reservation, and keep its leaves in them. */
  private void prepare(MappingState state, long base, long bytes) {
    if (granuleMask >= RadixPageTable.LEAF_TABLE_LEAF) {
      allocator.free(base, bytes >>> granuleShift);
      throw refusals.noTablesAhead(granuleMask + 1);
    }
    int result = table.prepare(base, base + (bytes - 1));
    if (result != TableResult.OK) {
      RuntimeException refusal = refusals.table(result, "set tables aside for", 0, bytes, base);
      abandon(base, bytes, refusal);
      throw refusal;
    }
    if (Long.compareUnsigned(state.maxLeaf, RadixPageTable.LEAF_TABLE_LEAF) > 0) {
      state.maxLeaf = RadixPageTable.LEAF_TABLE_LEAF;
    }
  }

  /** Give back a range and the tables that were built for it; both wait for {@link #quiesce} if they cannot be invalidated now. */
  private void abandon(long base, long bytes, RuntimeException cause) {
    long last = base + (bytes - 1);
    TablePages tables = new TablePages();
    refusals.requireCleared(table.clearAndDetach(base, last, null, tables), base, last, cause);
    synchronized (abandoned) {
      if (!tables.isEmpty()) {
        abandoned.invalidate(iommu, base, last, true);
        abandoned.retire(Retirement.TABLES, this, tables.takeChain(), 0, 0);
      }
      abandoned.retire(Retirement.IOVA, this, base, bytes >>> granuleShift, 0);
      try {
        abandoned.complete();
      } catch (RuntimeException e) {
        cause.addSuppressed(e);
      }
    }
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    long iova = state.dmaAddress + offset;
    TableState mine = stateOf(state);
    PageWindow window = mine.window;
    // A whole leaf has no edges to check and replaces no table; all else is out of line, to keep this short.
    if (window == null ? leaves.tryLink(iova, phys, length, flags, mine.cursor) : tryLinkIn(window, iova, phys, length, flags)) {
      mine.touch();
    } else {
      linkOther(state, mine, iova, phys, length, flags, undo);
    }
  }

  private boolean tryLinkIn(PageWindow window, long iova, long phys, long length, int flags) {
    return ((iova ^ phys) & alignMask) == 0 && window.tryLink(iova, phys, length, access(flags));
  }

  private void linkOther(
      MappingState state, TableState mine, long iova, long phys, long length, int flags, Retirement undo) {
    if (((iova ^ phys) & alignMask) != 0) {
      throw refusals.table(TableResult.MISALIGNED, "link", phys, length, iova);
    }
    edges.require(phys, length, flags);
    boolean window = state.has(MapFlags.WINDOW);
    LeafCursor cursor = window ? null : mine.cursor;
    TablePages replaced = window ? REPLACED.get() : mine.detached;
    int result = table.map(iova, phys, length, access(flags), state.maxLeaf, cursor, replaced);
    if (!window) {
      // Also where refused: tables may have been built, which go with the reservation.
      mine.touch();
    }
    if (result != TableResult.OK) {
      throw refusals.table(result, "link", phys, length, iova);
    }
    if (!replaced.isEmpty()) {
      showReplacements(mine, iova, iova + (length - 1), window, replaced, undo);
    }
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    long iova = state.dmaAddress + offset;
    if (alignMask != granuleMask || edges.isStrict()) {
      requireRun(iova, phys, length, from, to, flags);
    }
    TableState mine = stateOf(state);
    boolean window = state.has(MapFlags.WINDOW);
    LeafCursor cursor = window ? null : mine.cursor;
    TablePages replaced = window ? REPLACED.get() : mine.detached;
    int result = table.mapRun(iova, phys, length, from, to, access(flags), state.maxLeaf, cursor, replaced);
    if (!window) {
      mine.touch();
    }
    if (result != TableResult.OK) {
      // The range to name is found only now, since the page table checks all that this does.
      long bytes = requireRun(iova, phys, length, from, to, flags);
      throw refusals.table(result, "link a run that begins with", phys[from], bytes, iova);
    }
    if (!replaced.isEmpty()) {
      showReplacements(mine, iova, iova + (bytes(length, from, to) - 1), window, replaced, undo);
    }
  }

  private static long bytes(long[] length, int from, int to) {
    long bytes = 0;
    for (int i = from; i < to; i++) {
      bytes += length[i];
    }
    return bytes;
  }

  /** Check the outer edges and the low bits of a run, and return its bytes; inner edges are the page table's to check. */
  private long requireRun(long iova, long[] phys, long[] length, int from, int to, int flags) {
    long at = iova;
    for (int i = from; i < to; i++) {
      if (((at ^ phys[i]) & alignMask) != 0) {
        throw refusals.table(TableResult.MISALIGNED, "link", phys[i], length[i], at);
      }
      at += length[i];
    }
    if (edges.isStrict()) {
      edges.require(phys[from], length[from], flags);
      edges.require(phys[to - 1], length[to - 1], flags);
    }
    return at - iova;
  }

  /** Let go of the empty tables that a link's large leaves replaced. */
  private void showReplacements(
      TableState mine, long first, long last, boolean window, TablePages replaced, Retirement undo) {
    try {
      show(first, last, replaced);
    } catch (RuntimeException e) {
      long chain = replaced.takeChain();
      int result = table.clear(first, last, window ? null : mine.cursor);
      undo.invalidate(iommu, first & ~granuleMask, last | granuleMask, true);
      undo.retire(Retirement.TABLES, this, chain, 0, 0);
      refusals.requireCleared(result, first, last, e);
      throw e;
    }
  }

  /** Publish a range; tables that leaves replaced go only after the hardware has seen the leaves and dropped its way to the tables. */
  private void show(long first, long last, TablePages replaced) {
    iommu.publish(first & ~granuleMask, last | granuleMask);
    if (!replaced.isEmpty()) {
      iommu.invalidate(first & ~granuleMask, last | granuleMask, true);
      space.freeTables(replaced.takeChain());
    }
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    long first = state.dmaAddress + offset;
    iommu.publish(first & ~granuleMask, first + (length - 1) | granuleMask);
  }

  /** Refuse a range that {@link #unlink} would refuse. */
  void requireLinked(MappingState state, long offset, long length) {
    long first = state.dmaAddress + offset;
    long last = first + (length - 1);
    if (!table.isLinked(first, last)) {
      throw refusals.table(TableResult.NOT_LINKED, "unlink", 0, length, first);
    }
    if (table.splits(first, last)) {
      throw refusals.table(TableResult.NOT_SPLITTABLE, "unlink", 0, length, first);
    }
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    long first = state.dmaAddress + offset;
    long last = first + (length - 1);
    TableState mine = stateOf(state);
    PageWindow window = mine.window;
    if (window == null || length != TableMemory.PAGE || !window.tryUnlink(first)) {
      int result = table.unlink(first, last, state.has(MapFlags.WINDOW) ? null : mine.cursor);
      if (result != TableResult.OK) {
        throw refusals.table(result, "unlink", 0, length, first);
      }
    }
    batch.invalidate(iommu, first & ~granuleMask, last | granuleMask, false);
  }

  @Override
  public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
    long first = state.dmaAddress + offset;
    long last = first + (length - 1);
    int result = table.protect(first, last, access);
    if (result != TableResult.OK) {
      throw refusals.table(result, "change the permission of", 0, length, first);
    }
    batch.invalidate(iommu, first & ~granuleMask, last | granuleMask, false);
    iommu.publish(first & ~granuleMask, last | granuleMask);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    if (state.allocated == 0) {
      return;
    }
    TableState mine = stateOf(state);
    if (mine.touched) {
      unmap(state, batch);
    } else {
      giveBackUntouched(state, mine, batch);
    }
  }

  /** A window that nothing was ever linked in needs no invalidation, unless tables were set aside for it. */
  private void giveBackUntouched(MappingState state, TableState mine, Retirement batch) {
    if ((state.flags & MapFlags.TABLES_AHEAD) != 0) {
      clearStrictly(state, mine, batch);
      return;
    }
    giveBack(state, mine.base, keeperOf(state, mine), batch);
  }

  private void clearStrictly(MappingState state, TableState mine, Retirement batch) {
    long base = mine.base;
    long last = base + (state.allocated - 1);
    // First, because it refuses a batch of another address space.
    batch.invalidate(iommu, base, last, false);
    refusals.requireCleared(table.clearAndDetach(base, last, mine.cursor, mine.detached), base, last, null);
    if (!mine.detached.isEmpty()) {
      batch.invalidate(iommu, base, last, true);
      batch.retire(Retirement.TABLES, this, mine.detached.takeChain(), 0, 0);
    }
    giveBack(state, base, keeperOf(state, mine), batch);
  }

  /** Return who keeps the addresses that a handle is about to give back, as {@link #retire} is told; 0 for nobody. */
  private long keeperOf(MappingState state, TableState mine) {
    KeptRange kept = mine.settledKeeper();
    if (kept == null || state.allocated >>> granuleShift > IovaAllocator.CACHED_GRANULES || !kept.expect()) {
      return 0;
    }
    return kept.place() + KEPT;
  }

  private void clearLazily(FlushQueue lazy, MappingState state, TableState mine) {
    long base = mine.base;
    long last = base + (state.allocated - 1);
    refusals.requireCleared(table.clearAndDetach(base, last, mine.cursor, mine.detached), base, last, null);
    long chain = mine.detached.takeChain();
    try {
      lazy.add(base, state.allocated >>> granuleShift, chain);
    } catch (RuntimeException e) {
      mine.detached.putBack(space.arena, chain);
      throw e;
    }
    state.allocated = 0;
  }

  @Override
  public long physOf(MappingState state, long offset) {
    PageWindow window = stateOf(state).window;
    long iova = state.dmaAddress + offset;
    long phys = window == null ? table.lookup(iova) : window.lookup(iova);
    return phys == TableMemory.NONE ? ABSENT : phys;
  }

  @Override
  public long nextLinked(MappingState state, long offset, long step) {
    if (offset >= state.length) {
      return ABSENT;
    }
    long linked = table.firstLinked(state.dmaAddress + offset, state.dmaAddress + (state.length - 1));
    if (linked == RadixPageTable.NO_LEAF) {
      return ABSENT;
    }
    long found = Math.max(offset, linked - state.dmaAddress);
    return offset + (found - offset) / step * step;
  }

  @Override
  public void retire(int phase, long a, long b, long c) {
    if (c != 0) {
      allocator.keep((int) (c - KEPT), a, b);
    } else if (phase == Retirement.IOVA) {
      allocator.free(a, b);
    } else {
      space.freeTables(a);
    }
  }

  @Override
  public void forget(MappingState state) {
    if (state.terminal instanceof TableState mine && mine.space == space) {
      mine.forgetAddresses();
    }
  }

  @Override
  public @Nullable DirtyTracker dirtyTracker() {
    return space.tracker;
  }

  @Override
  public boolean isLazy() {
    return queue != null;
  }

  @Override
  public long flushesCompleted() {
    return queue == null ? -1 : queue.finished();
  }

  @Override
  public void quiesce() {
    synchronized (abandoned) {
      abandoned.complete();
    }
    space.flushDeferred();
  }

  TableState stateOf(MappingState state) {
    return state.terminal instanceof TableState mine && mine.space == space ? mine : newState(state);
  }

  private TableState newState(MappingState state) {
    TableState mine = new TableState(space);
    state.terminal = mine;
    return mine;
  }

  private int access(int flags) {
    return (flags & MapFlags.ACCESS) | ((flags & MapFlags.PEER) == 0 ? snoop : 0);
  }
}
