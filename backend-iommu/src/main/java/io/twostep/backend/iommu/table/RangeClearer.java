package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Clears ranges: looks at both edges first, then zeroes leaves table by table, and detaches tables if asked. */
final class RangeClearer {
  private final TableTree tree;
  private final RangeScan scan;
  private final MemorySegment segment;
  private final long dirtyBit;
  private volatile @Nullable DirtyVisitor harvester;

  RangeClearer(TableTree tree, RangeScan scan, long dirtyBit) {
    this.tree = tree;
    this.scan = scan;
    this.segment = tree.segment;
    this.dirtyBit = dirtyBit;
  }

  /** Shows dirty leaves that are cleared from now on to {@code visitor}; null for nobody. */
  void harvestInto(@Nullable DirtyVisitor visitor) {
    harvester = visitor;
  }

  /**
   * Clears [first, last], which is rounded to 4 KiB.
   *
   * @param refuseHoles whether anything not linked in the range is an error
   * @param detached takes the tables whose whole span was cleared; null keeps them
   */
  int clear(
      long first, long last, boolean refuseHoles, @Nullable LeafCursor cursor, @Nullable TablePages detached) {
    if ((first ^ last) >>> TableTree.LEAF_TABLE_SHIFT == 0 && !RangeLinker.mayBeLarge(last - first)) {
      return clearInLeafTable(first, last, refuseHoles, cursor);
    }
    if (clearOneLarge(first, last)) {
      return TableResult.OK;
    }
    if (scan.splits(first, last)) {
      return TableResult.NOT_SPLITTABLE;
    }
    if (refuseHoles && !scan.isLinked(first, last)) {
      return TableResult.NOT_LINKED;
    }
    if (tree.spans(first)) {
      clearTable(tree.offsetOf(tree.rootPhys()), tree.top(), 0, first, tree.clip(last), detached);
    }
    return TableResult.OK;
  }

  private int clearInLeafTable(long first, long last, boolean refuseHoles, @Nullable LeafCursor cursor) {
    long table = cursor != null && cursor.holds(first, 0, tree.detachments()) ? cursor.table() : tree.find(first, 0);
    if (table == TableTree.LEAF_ABOVE) {
      return TableResult.NOT_SPLITTABLE;
    }
    if (table == TableTree.ABSENT) {
      return refuseHoles ? TableResult.NOT_LINKED : TableResult.OK;
    }
    long offset = TableTree.slot(table, 0, first);
    int words = (int) ((last - first) >>> TableTree.PAGE_SHIFT) + 1;
    if (splitsContiguous(TableTree.word(segment, offset), first)
        || splitsContiguous(TableTree.word(segment, offset + ((words - 1L) << 3)), last + 1)) {
      return TableResult.NOT_SPLITTABLE;
    }
    if (refuseHoles && !LeafWords.noneZero(segment, offset, words)) {
      return TableResult.NOT_LINKED;
    }
    zero(offset, words, first, 0);
    return TableResult.OK;
  }

  private boolean splitsContiguous(long word, long edge) {
    return tree.isContiguous(word) && scan.splitsBefore(word, 0, edge);
  }

  /** Clears [first, last] if it is exactly one leaf above level 0, which takes one walk instead of three. */
  private boolean clearOneLarge(long first, long last) {
    if (!tree.spans(last)) {
      return false;
    }
    long entry = tree.locate(first);
    int level = TableTree.levelOf(entry);
    long offset = TableTree.offsetOfEntry(entry);
    long word = tree.acquire(offset);
    if (level == 0 || word == 0) {
      return false;
    }
    long mask = (1L << tree.leafShift(word, level)) - 1;
    if ((first & mask) != 0 || last - first != mask) {
      return false;
    }
    int words = (int) (mask >>> TableTree.wordShift(level)) + 1;
    zero(offset, words, first, level);
    return true;
  }

  private void clearTable(
      long table, int level, long tableFirst, long first, long last, @Nullable TablePages detached) {
    int shift = TableTree.wordShift(level);
    int from = (int) ((first - tableFirst) >>> shift);
    int to = (int) ((last - tableFirst) >>> shift);
    if (level == 0) {
      zero(table + ((long) from << 3), to - from + 1, tableFirst + ((long) from << shift), 0);
      return;
    }
    int leaves = 0;
    for (int i = from; i <= to; i++) {
      long slot = table + ((long) i << 3);
      long word = tree.acquire(slot);
      if (word != 0 && !tree.isTable(word, level)) {
        leaves++;
        continue;
      }
      zeroLeavesBefore(slot, leaves, tableFirst + ((long) i << shift), level);
      leaves = 0;
      if (word != 0) {
        long childFirst = tableFirst + ((long) i << shift);
        long childLast = childFirst + (1L << shift) - 1;
        boolean whole = Long.compareUnsigned(first, childFirst) <= 0 && Long.compareUnsigned(childLast, last) <= 0;
        long child = tree.childOf(word);
        clearTable(child, level - 1, childFirst, i == from ? first : childFirst, i == to ? last : childLast, detached);
        if (detached != null && whole) {
          TableTree.setWord(segment, slot, 0);
          tree.stored(1);
          tree.handOver(child, detached);
        }
      }
    }
    zeroLeavesBefore(table + ((to + 1L) << 3), leaves, tableFirst + ((to + 1L) << shift), level);
  }

  private void zeroLeavesBefore(long slot, int leaves, long iova, int level) {
    if (leaves != 0) {
      zero(slot - ((long) leaves << 3), leaves, iova - ((long) leaves << TableTree.wordShift(level)), level);
    }
  }

  /** Zeroes the words of leaves, of which the first is that of {@code iova} at {@code level}. */
  void zero(long offset, int words, long iova, int level) {
    tree.clearing(offset, words);
    DirtyVisitor visitor = harvester;
    if (visitor != null) {
      takeOut(offset, words, iova, level, visitor);
    } else if (words == 1) {
      TableTree.setWord(segment, offset, 0);
    } else {
      LeafWords.zero(segment, offset, words);
    }
  }

  private void takeOut(long offset, int words, long iova, int level, DirtyVisitor visitor) {
    for (int i = 0; i < words; i++) {
      long word = tree.take(offset + ((long) i << 3));
      if ((word & dirtyBit) != 0) {
        long mask = (1L << tree.leafShift(word, level)) - 1;
        visitor.dirty((iova + ((long) i << TableTree.wordShift(level))) & ~mask, mask + 1);
      }
    }
  }
}
