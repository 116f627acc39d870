package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Links ranges: first builds tables and looks at every slot, then writes leaves, so that a refusal has changed nothing.
 *
 * <p>Ranges arrive checked and rounded to 4 KiB, as inclusive [first, last] of I/O addresses with the first physical
 * address; {@code sizes} is the set of leaf sizes allowed.
 */
final class RangeLinker {
  private static final long PAGE = TableMemory.PAGE;
  private static final long LEAF_TABLE_LAST = (1L << TableTree.LEAF_TABLE_SHIFT) - 1;

  private final TableTree tree;
  private final MemorySegment segment;
  private final long largeLeafBits;
  private final long contiguousType;

  RangeLinker(TableTree tree, TableFormat format) {
    this.tree = tree;
    this.segment = tree.segment;
    this.largeLeafBits = format.largeLeafBits();
    this.contiguousType = format.contiguousType();
  }

  /** Tells whether a range of {@code lengthLess1 + 1} bytes may hold a leaf above level 0. */
  static boolean mayBeLarge(long lengthLess1) {
    return Long.compareUnsigned(lengthLess1, LEAF_TABLE_LAST) >= 0;
  }

  /** Links one range. */
  int link(
      long first,
      long last,
      long phys,
      long attributes,
      long sizes,
      @Nullable LeafCursor cursor,
      TablePages detached) {
    if (last - first < PAGE) {
      return linkPage(first, phys | attributes, cursor);
    }
    if ((first ^ last) >>> TableTree.LEAF_TABLE_SHIFT == 0 && !mayBeLarge(last - first)) {
      return linkInLeafTable(first, last, phys, attributes, sizes, cursor);
    }
    long size = bestSize(sizes, first | phys, last - first);
    int level = levelOf(size);
    if (level > 0 && size - 1 == last - first) {
      return linkLarge(first, size, level, leaf(phys | attributes, size, level), cursor, detached);
    }
    int result = plan(first, last, phys, sizes, cursor);
    if (result == TableResult.OK) {
      write(first, last, phys, attributes, sizes, cursor, detached);
    }
    return result;
  }

  /** Builds what {@link #write} will need for one range, and refuses if a slot is taken. */
  int plan(long first, long last, long phys, long sizes, @Nullable LeafCursor cursor) {
    long at = first;
    long from = phys;
    while (true) {
      long size = bestSize(sizes, at | from, last - at);
      int level = levelOf(size);
      long end = level == 0 ? endInLeafTable(at, last) : at + size - 1;
      int result = level == 0 ? planSmall(at, end, cursor) : planLarge(at, size, level, cursor);
      if (result != TableResult.OK || end == last) {
        return result;
      }
      from += end - at + 1;
      at = end + 1;
    }
  }

  /** Does what {@link #plan} does for a range that will hold leaves of level 0 only. */
  int planSmall(long first, long last, @Nullable LeafCursor cursor) {
    long at = first;
    while (true) {
      long end = endInLeafTable(at, last);
      long table = table(at, 0, cursor);
      if (table < 0) {
        return refusal(table);
      }
      if (!LeafWords.allZero(segment, TableTree.slot(table, 0, at), wordsOf(at, end))) {
        return TableResult.ALREADY_LINKED;
      }
      if (end == last) {
        return TableResult.OK;
      }
      at = end + 1;
    }
  }

  /** Writes the leaves of one planned range; cannot fail. */
  void write(
      long first,
      long last,
      long phys,
      long attributes,
      long sizes,
      @Nullable LeafCursor cursor,
      TablePages detached) {
    long at = first;
    long from = phys;
    while (true) {
      long size = bestSize(sizes, at | from, last - at);
      int level = levelOf(size);
      long end;
      if (level == 0) {
        end = endInLeafTable(at, last);
        writeInLeafTable(table(at, 0, cursor), at, end, from, attributes, sizes);
      } else {
        end = at + size - 1;
        long slot = TableTree.slot(table(at, level, cursor), level, at);
        writeLarge(slot, size, level, leaf(from | attributes, size, level), detached);
      }
      if (end == last) {
        return;
      }
      from += end - at + 1;
      at = end + 1;
    }
  }

  /** Writes leaves of level 0 into a leaf table that covers [first, last]. */
  void writeInLeafTable(long table, long first, long last, long phys, long attributes, long sizes) {
    if (last - first < PAGE) {
      TableTree.setWord(segment, TableTree.slot(table, 0, first), phys | attributes);
      tree.stored(1);
      return;
    }
    long offset = TableTree.slot(table, 0, first);
    // Leaves cannot exceed what both addresses agree on modulo their size.
    long congruent = Long.lowestOneBit(first ^ phys);
    if ((sizes & LEAF_TABLE_LAST & ((congruent << 1) - 1)) == PAGE) {
      LeafWords.fill(segment, offset, wordsOf(first, last), phys | attributes, PAGE);
      tree.stored(wordsOf(first, last));
      return;
    }
    long at = first;
    long from = phys;
    while (true) {
      long size = bestSize(sizes, at | from, last - at);
      int words = (int) (size >>> TableTree.PAGE_SHIFT);
      LeafWords.fill(segment, offset, words, leaf(from | attributes, size, 0), 0);
      tree.stored(words);
      if (at + size - 1 == last) {
        return;
      }
      offset += (long) words << 3;
      from += size;
      at += size;
    }
  }

  /**
   * Writes one leaf of 4 KiB for range {@code from} and for as many after it as are exactly one page and lie in the same
   * table; returns how many. This is the loop that a list of scattered pages spends its time in.
   */
  int writePages(long table, long iova, long[] phys, long[] length, int from, int to, long attributes) {
    long offset = TableTree.slot(table, 0, iova);
    int room = TableTree.WORDS - (int) ((offset - table) >>> 3);
    int end = Math.min(to, from + room);
    int i = from;
    do {
      TableTree.setWord(segment, offset + ((long) (i - from) << 3), (phys[i] & -PAGE) | attributes);
      i++;
    } while (i < end && length[i] == PAGE);
    tree.stored(i - from);
    return i - from;
  }

  /** As {@link #writePages} where every range is known to be a whole page: a loop without a decision. */
  int fillPages(long table, long iova, long[] phys, int from, int to, long attributes) {
    long offset = TableTree.slot(table, 0, iova);
    int count = Math.min(to - from, TableTree.WORDS - (int) ((offset - table) >>> 3));
    for (int i = 0; i < count; i++) {
      TableTree.setWord(segment, offset + ((long) i << 3), phys[from + i] | attributes);
    }
    tree.stored(count);
    return count;
  }

  static long endInLeafTable(long at, long last) {
    return (at ^ last) >>> TableTree.LEAF_TABLE_SHIFT == 0 ? last : at | LEAF_TABLE_LAST;
  }

  /** Returns the table of {@code level} for {@code iova}, remembered, found or built, or why there is none. */
  long table(long iova, int level, @Nullable LeafCursor cursor) {
    if (cursor == null) {
      return tree.build(iova, level);
    }
    long detachments = tree.detachments();
    return cursor.holds(iova, level, detachments) ? cursor.table() : walk(iova, level, cursor, detachments);
  }

  private long walk(long iova, int level, LeafCursor cursor, long detachments) {
    long table = tree.build(iova, level);
    if (table >= 0) {
      cursor.remember(iova, level, table, detachments);
    }
    return table;
  }

  static int refusal(long walk) {
    return walk == TableTree.NO_MEMORY ? TableResult.TABLE_MEMORY : TableResult.ALREADY_LINKED;
  }

  private int linkPage(long iova, long leaf, @Nullable LeafCursor cursor) {
    long table = table(iova, 0, cursor);
    if (table < 0) {
      return refusal(table);
    }
    long slot = TableTree.slot(table, 0, iova);
    if (TableTree.word(segment, slot) != 0) {
      return TableResult.ALREADY_LINKED;
    }
    TableTree.setWord(segment, slot, leaf);
    tree.stored(1);
    return TableResult.OK;
  }

  private int linkInLeafTable(
      long first, long last, long phys, long attributes, long sizes, @Nullable LeafCursor cursor) {
    long table = table(first, 0, cursor);
    if (table < 0) {
      return refusal(table);
    }
    if (!LeafWords.allZero(segment, TableTree.slot(table, 0, first), wordsOf(first, last))) {
      return TableResult.ALREADY_LINKED;
    }
    writeInLeafTable(table, first, last, phys, attributes, sizes);
    return TableResult.OK;
  }

  private int linkLarge(
      long iova, long size, int level, long leaf, @Nullable LeafCursor cursor, TablePages detached) {
    int result = planLarge(iova, size, level, cursor);
    if (result == TableResult.OK) {
      long slot = TableTree.slot(table(iova, level, cursor), level, iova);
      writeLarge(slot, size, level, leaf, detached);
    }
    return result;
  }

  private int planLarge(long iova, long size, int level, @Nullable LeafCursor cursor) {
    long table = table(iova, level, cursor);
    if (table < 0) {
      return refusal(table);
    }
    long slot = TableTree.slot(table, level, iova);
    for (long i = 0; i < size >>> TableTree.wordShift(level); i++) {
      long word = TableTree.word(segment, slot + (i << 3));
      if (word != 0 && !(tree.isTable(word, level) && tree.isEmptyBelow(word, level))) {
        return TableResult.ALREADY_LINKED;
      }
    }
    return TableResult.OK;
  }

  private void writeLarge(long slot, long size, int level, long leaf, TablePages detached) {
    tree.stored(size >>> TableTree.wordShift(level));
    for (long i = 0; i < size >>> TableTree.wordShift(level); i++) {
      long emptyTable = TableTree.word(segment, slot + (i << 3));
      TableTree.setWord(segment, slot + (i << 3), leaf);
      if (emptyTable != 0) {
        tree.detach(emptyTable, level, detached);
      }
    }
  }

  private long leaf(long physAndAttributes, long size, int level) {
    if (size == 1L << TableTree.wordShift(level)) {
      return level == 0 ? physAndAttributes : physAndAttributes | largeLeafBits;
    }
    return physAndAttributes | contiguousType | (((size >>> 1) - 1) & TableFormat.ADDRESS_MASK);
  }

  /** Returns the largest size that the alignment of both addresses and the length left allow. */
  private static long bestSize(long sizes, long addresses, long lengthLess1) {
    long length = lengthLess1 + 1;
    long bound = addresses | (length == 0 ? Long.MIN_VALUE : Long.highestOneBit(length));
    return Long.highestOneBit(sizes & (-1L >>> (Long.SIZE - 1 - Long.numberOfTrailingZeros(bound))));
  }

  private static int levelOf(long size) {
    return (Long.numberOfTrailingZeros(size) - TableTree.PAGE_SHIFT) / TableTree.LEVEL_SHIFT;
  }

  private static int wordsOf(long first, long last) {
    return (int) ((last - first) >>> TableTree.PAGE_SHIFT) + 1;
  }
}
