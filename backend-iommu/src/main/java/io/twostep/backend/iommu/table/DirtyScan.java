package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;

/**
 * Reads and cleans the dirty bits of leaves, while others link and clear in the same tables.
 *
 * <p>It owns none of the ranges it looks at. Tables may be detached under it, so their pages must not be freed while it runs; in a detached page it meets zeros
 * and the link of the chain it waits in, a page address, which leads to another detached page or nowhere, and never looks like a dirty leaf.
 */
final class DirtyScan {
  private final TableTree tree;
  private final MemorySegment segment;
  private final long dirtyBit;

  DirtyScan(TableTree tree, TableFormat format) {
    this.tree = tree;
    this.segment = tree.segment;
    this.dirtyBit = format.dirtyBit();
  }

  /** Shows every dirty leaf that touches [first, last], cleans it if asked, and returns how many bytes they span. */
  long visit(long first, long last, boolean clean, DirtyVisitor visitor) {
    // Read once: a root that grows meanwhile has this one below it.
    long root = tree.rootEntry();
    int top = TableTree.levelOf(root);
    if (dirtyBit == 0) {
      return 0;
    }
    long spanned = TableTree.lastBelow(top);
    long end = Long.compareUnsigned(last, spanned) < 0 ? last : spanned;
    return Long.compareUnsigned(first, end) > 0
        ? 0
        : visit(tree.offsetOf(TableTree.offsetOfEntry(root)), top, 0, first, end, clean, visitor);
  }

  private long visit(
      long table, int level, long tableFirst, long first, long last, boolean clean, DirtyVisitor visitor) {
    int shift = TableTree.wordShift(level);
    int to = (int) ((last - tableFirst) >>> shift);
    long bytes = 0;
    int i = (int) ((first - tableFirst) >>> shift);
    while (i <= to) {
      long word = tree.acquire(table + ((long) i << 3));
      long wordFirst = tableFirst + ((long) i << shift);
      int step = 1;
      if (word != 0 && tree.isTable(word, level)) {
        long child = tree.childOf(word);
        if (isPage(child)) {
          long from = Long.compareUnsigned(first, wordFirst) > 0 ? first : wordFirst;
          long wordLast = wordFirst + ((1L << shift) - 1);
          long until = Long.compareUnsigned(last, wordLast) < 0 ? last : wordLast;
          bytes += visit(child, level - 1, wordFirst, from, until, clean, visitor);
        }
      } else if (word != 0) {
        int words = 1 << (tree.leafShift(word, level) - shift);
        int start = i & -words;
        if (isDirty(table + ((long) start << 3), words, clean)) {
          long span = (long) words << shift;
          bytes += span;
          visitor.dirty(tableFirst + ((long) start << shift), span);
        }
        step = start + words - i;
      }
      i += step;
    }
    return bytes;
  }

  private boolean isPage(long offset) {
    return offset >= 0 && offset <= segment.byteSize() - ((long) TableTree.WORDS << 3);
  }

  /** Reads and cleans the dirty bits of all words of one leaf: hardware may have set that of any. */
  private boolean isDirty(long offset, int words, boolean clean) {
    boolean dirty = false;
    for (int i = 0; i < words; i++) {
      long at = offset + ((long) i << 3);
      long word = tree.acquire(at);
      while ((word & dirtyBit) != 0) {
        dirty = true;
        if (!clean || tree.replace(at, word, word & ~dirtyBit)) {
          break;
        }
        word = tree.acquire(at);
      }
    }
    return dirty;
  }
}
