package io.twostep.backend.iommu.table;

import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Translates I/O addresses to physical addresses in tables that hardware walks.
 *
 * <p>Addresses are unsigned; {@code last} is inclusive, so that 2^64-1 is a legal end. Every range is rounded out to the
 * granule; whoever must not touch neighbours checks edges first. Results are codes of {@link TableResult}: anything but
 * {@code OK} means that no translation has changed, though empty tables may have been built, which the next link uses and
 * {@link #clearAndDetach} or {@link #destroy} returns.
 *
 * <p>No locks: callers own the ranges they pass, and calls on ranges without a common granule may run at the same time.
 * Nothing is invalidated here. Leaves become visible to hardware with the release that the caller's publish contains;
 * what was cleared may still be cached until the caller has invalidated, and so may detached tables, which are therefore
 * handed out in a {@link TablePages} instead of being freed. When a link has put something there, an invalidation of the
 * linked range, walk caches included, must complete before a device uses it.
 */
public final class RadixPageTable {
  /** No limit to the size of leaves but the format's and the range's own. */
  public static final long ANY_LEAF = Long.MIN_VALUE;

  /** The largest leaves that live in leaf tables: with this limit a prepared range stays prepared. */
  public static final long LEAF_TABLE_LEAF = 1L << 20;

  /** Answers that nothing is linked in a range: all ones, which no granule begins at. */
  public static final long NO_LEAF = -1;

  private final TableFormat format;
  private final TableTree tree;
  private final TableLimits limits;
  private final RangeLinker linker;
  private final LeafLinker leaves;
  private final RunLinker runs;
  private final RangeClearer clearer;
  private final RangeScan scan;
  private final DirtyScan dirtyScan;
  private final long[] attributes = new long[8];

  /**
   * Creates an empty table with one page for its root.
   *
   * @param granule the address space's granule in bytes, a power of two of at least 4 KiB
   * @param publisher told of a new root when the table grows; {@link RootPublisher#FIXED} where it cannot
   * @throws IllegalStateException if there is no page for the root
   */
  public RadixPageTable(TableFormat format, TableMemory memory, long granule, RootPublisher publisher) {
    this(format, memory, granule, publisher, null);
  }

  /**
   * Creates an empty table that counts.
   *
   * @param stores told of every word stored into a table, but for zeros over what is empty; null to count nothing, at no cost
   */
  public RadixPageTable(
      TableFormat format, TableMemory memory, long granule, RootPublisher publisher, @Nullable LongAdder stores) {
    this.format = format;
    this.limits = new TableLimits(format, granule);
    this.tree = new TableTree(format, memory, publisher, stores);
    this.linker = new RangeLinker(tree, format);
    this.leaves = new LeafLinker(tree, format, granule, attributes);
    this.runs = new RunLinker(linker, limits);
    this.scan = new RangeScan(tree, format);
    this.dirtyScan = new DirtyScan(tree, format);
    this.clearer = new RangeClearer(tree, scan, format.dirtyBit());
    for (int access = 0; access < attributes.length; access++) {
      attributes[access] = format.encodeAccess(access);
    }
  }

  /** Returns the format as given. */
  public TableFormat format() {
    return format;
  }

  /** Returns the physical address of the root table. */
  public long rootPhys() {
    return tree.rootPhys();
  }

  /** Returns how many levels the root stands above the leaves, itself included. */
  public int levels() {
    return tree.top() + 1;
  }

  /** Returns how many table pages are in use, the root included, those detached not. */
  public long tablePages() {
    return tree.pages();
  }

  /**
   * Links [iova, iova + length) to {@code phys} with the largest leaves that fit.
   *
   * @param phys congruent to {@code iova} modulo the granule
   * @param access of {@link LeafAccess}, with at least read or write
   * @param maxLeaf the largest leaf allowed, a power of two, or {@link #ANY_LEAF}
   * @param cursor the owner's remembered leaf table; null walks from the root
   * @param detached takes empty tables that large leaves replaced
   * @return {@code OK}, {@code ALREADY_LINKED}, {@code TABLE_MEMORY}, {@code MISALIGNED}, {@code OUT_OF_BOUNDS}, {@code
   *     OUT_OF_REACH} or {@code NO_ACCESS}
   */
  public int map(
      long iova,
      long phys,
      long length,
      int access,
      long maxLeaf,
      @Nullable LeafCursor cursor,
      TablePages detached) {
    if ((access & LeafAccess.READ_OR_WRITE) == 0) {
      return TableResult.NO_ACCESS;
    }
    long last = iova + length - 1;
    long roundedFirst = limits.roundDown(iova);
    long roundedLast = limits.roundUp(last);
    long reach = limits.reach(phys, roundedLast - roundedFirst);
    int refusal = length == 0 ? TableResult.OUT_OF_BOUNDS : limits.check(iova, last, iova ^ phys, reach);
    if (refusal != TableResult.OK) {
      return refusal;
    }
    return linker.link(
        roundedFirst,
        roundedLast,
        limits.roundDown(phys),
        attributes[access],
        sizesUpTo(maxLeaf),
        cursor,
        detached);
  }

  /** Returns the short way for single leaves. */
  public LeafLinker leaves() {
    return leaves;
  }

  /** Returns the way to the single pages of [first, last], a reserved range of at most {@link PageWindow#LONGEST} bytes in which no leaf will be larger than 4 KiB. */
  public PageWindow pageWindow(long first, long last) {
    return new PageWindow(tree, leaves, clearer, first, last);
  }

  /** Makes a cursor forget a table that no longer stands, as it must when its owner is given a range of I/O addresses. */
  public void renew(LeafCursor cursor) {
    cursor.renew(tree.detachments());
  }

  /**
   * Links the ranges {@code phys[i], length[i]} for {@code from <= i < to} one behind the other from {@code iova} on, all
   * or none.
   *
   * <p>Only the first may begin and only the last may end off the granule. Everything else is as in {@link #map}.
   */
  public int mapRun(
      long iova,
      long[] phys,
      long[] length,
      int from,
      int to,
      int access,
      long maxLeaf,
      @Nullable LeafCursor cursor,
      TablePages detached) {
    if (to - from == 1) {
      return map(iova, phys[from], length[from], access, maxLeaf, cursor, detached);
    }
    if (from >= to) {
      return TableResult.OUT_OF_BOUNDS;
    }
    if ((access & LeafAccess.READ_OR_WRITE) == 0) {
      return TableResult.NO_ACCESS;
    }
    return runs.link(iova, phys, length, from, to, attributes[access], sizesUpTo(maxLeaf), cursor, detached);
  }

  /**
   * Builds all leaf tables for [iova, last], so that links there cannot fail for want of memory as long as their leaves
   * stay within {@link #LEAF_TABLE_LEAF}.
   *
   * @return {@code OK}, {@code ALREADY_LINKED} if a leaf stands where a table should, {@code TABLE_MEMORY} (what was
   *     built stays until {@link #clearAndDetach}) or {@code OUT_OF_BOUNDS}
   */
  public int prepare(long iova, long last) {
    if (!limits.contains(iova, last)) {
      return TableResult.OUT_OF_BOUNDS;
    }
    long at = iova;
    while (true) {
      long table = tree.build(at, 0);
      if (table < 0) {
        return RangeLinker.refusal(table);
      }
      long end = RangeLinker.endInLeafTable(at, last);
      if (end == last) {
        return TableResult.OK;
      }
      at = end + 1;
    }
  }

  /**
   * Unlinks [iova, last], every granule of which must be linked; tables stay.
   *
   * @return {@code OK}, {@code NOT_LINKED}, {@code NOT_SPLITTABLE} or {@code OUT_OF_BOUNDS}
   */
  public int unlink(long iova, long last, @Nullable LeafCursor cursor) {
    if (!limits.contains(iova, last)) {
      return TableResult.OUT_OF_BOUNDS;
    }
    return clearer.clear(limits.roundDown(iova), limits.roundUp(last), true, cursor, null);
  }

  /**
   * Unlinks whatever is linked in [iova, last]; tables stay.
   *
   * @return {@code OK}, {@code NOT_SPLITTABLE} or {@code OUT_OF_BOUNDS}
   */
  public int clear(long iova, long last, @Nullable LeafCursor cursor) {
    if (!limits.contains(iova, last)) {
      return TableResult.OUT_OF_BOUNDS;
    }
    return clearer.clear(limits.roundDown(iova), limits.roundUp(last), false, cursor, null);
  }

  /**
   * Unlinks whatever is linked in [iova, last] and detaches every table whose whole span lies in it: the end of a
   * reservation.
   *
   * @return {@code OK}, {@code NOT_SPLITTABLE} or {@code OUT_OF_BOUNDS}
   */
  public int clearAndDetach(long iova, long last, @Nullable LeafCursor cursor, TablePages detached) {
    if (!limits.contains(iova, last)) {
      return TableResult.OUT_OF_BOUNDS;
    }
    return clearer.clear(limits.roundDown(iova), limits.roundUp(last), false, cursor, detached);
  }

  /**
   * Replaces what devices may do in [iova, last], every granule of which must be linked. The caller invalidates.
   *
   * @return {@code OK}, {@code NO_ACCESS}, {@code NOT_LINKED}, {@code NOT_SPLITTABLE} or {@code OUT_OF_BOUNDS}
   */
  public int protect(long iova, long last, int access) {
    if (!limits.contains(iova, last)) {
      return TableResult.OUT_OF_BOUNDS;
    }
    if ((access & LeafAccess.READ_OR_WRITE) == 0) {
      return TableResult.NO_ACCESS;
    }
    long roundedFirst = limits.roundDown(iova);
    long roundedLast = limits.roundUp(last);
    if (!scan.isLinked(roundedFirst, roundedLast)) {
      return TableResult.NOT_LINKED;
    }
    if (scan.splits(roundedFirst, roundedLast)) {
      return TableResult.NOT_SPLITTABLE;
    }
    scan.protect(roundedFirst, roundedLast, access);
    return TableResult.OK;
  }

  /** Tells whether every granule of [iova, last] translates. */
  public boolean isLinked(long iova, long last) {
    return limits.contains(iova, last) && scan.isLinked(limits.roundDown(iova), limits.roundUp(last));
  }

  /** Tells whether an edge of [iova, last] lies inside a leaf, so that unlinking it would be refused. */
  public boolean splits(long iova, long last) {
    return scan.splits(limits.roundDown(iova), limits.roundUp(last));
  }

  /** Returns what {@code iova} translates to, or {@link TableMemory#NONE}, which no physical address equals. */
  public long lookup(long iova) {
    return scan.lookup(iova);
  }

  /** Returns the first address of [iova, last] that translates, granules being whole, or {@link #NO_LEAF}. */
  public long firstLinked(long iova, long last) {
    return scan.firstLinked(limits.roundDown(iova), limits.roundUp(last));
  }

  /** Shows the leaves that touch [iova, last] in ascending order and returns how many there are. */
  public long forEachLeaf(long iova, long last, LeafVisitor visitor) {
    return scan.visit(iova, last, visitor);
  }

  /** Returns how many leaves touch [iova, last]; a contiguous leaf counts once. */
  public long countLeaves(long iova, long last) {
    return scan.visit(iova, last, null);
  }

  /**
   * Shows the dirty leaves that touch [iova, last] and returns how many bytes they span; nothing where hardware does not
   * track. The caller need not own the range, but no table page may be freed meanwhile.
   */
  public long readDirty(long iova, long last, DirtyVisitor visitor) {
    return dirtyScan.visit(iova, last, false, visitor);
  }

  /**
   * Shows the dirty leaves that touch [iova, last], cleans them, and returns how many bytes they span. Writes are
   * reported again only after the caller's invalidation; data is to be copied after it. As {@link #readDirty} otherwise.
   */
  public long readAndClearDirty(long iova, long last, DirtyVisitor visitor) {
    return dirtyScan.visit(iova, last, true, visitor);
  }

  /**
   * From now on shows dirty leaves that are cleared to {@code visitor}, which must allow several threads; null for nobody. Clearing takes words out one by one then, so
   * that no bit is lost which hardware sets meanwhile.
   */
  public void harvestInto(@Nullable DirtyVisitor visitor) {
    clearer.harvestInto(visitor);
  }

  /** Returns how many tables were ever detached, with volatile order: what was detached before is seen gone by walks that begin after. */
  public long detachments() {
    return tree.detachments();
  }

  /**
   * Frees every table page, the root included, and returns how many leaves were still linked: leaks of their owners.
   * Hardware no longer walks this table and no call may follow or be under way.
   */
  public long destroy() {
    long leaks = scan.visit(0, -1L, null);
    tree.free();
    return leaks;
  }

  private long sizesUpTo(long maxLeaf) {
    return (format.pageSizes() & ((maxLeaf << 1) - 1)) | (1L << TableTree.PAGE_SHIFT);
  }
}
