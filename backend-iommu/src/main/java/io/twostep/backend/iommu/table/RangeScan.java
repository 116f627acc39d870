package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Looks at the leaves of ranges entry by entry: whether linked, where they end, what is allowed. */
final class RangeScan {
  private final TableTree tree;
  private final TableFormat format;
  private final MemorySegment segment;

  RangeScan(TableTree tree, TableFormat format) {
    this.tree = tree;
    this.format = format;
    this.segment = tree.segment;
  }

  /** Returns what {@code iova} translates to, or {@link TableMemory#NONE}. */
  long lookup(long iova) {
    if (!tree.spans(iova)) {
      return TableMemory.NONE;
    }
    long entry = tree.locate(iova);
    long word = wordOf(entry);
    if (word == 0) {
      return TableMemory.NONE;
    }
    long mask = (1L << tree.leafShift(word, TableTree.levelOf(entry))) - 1;
    return (word & TableFormat.ADDRESS_MASK & ~mask) | (iova & mask);
  }

  /** Tells whether [first, last] begins or ends inside a leaf. */
  boolean splits(long first, long last) {
    return splitsBefore(first, first) || splitsBefore(last, last + 1);
  }

  /** Tells whether {@code edge} lies inside the leaf {@code word}, which is next to it. */
  boolean splitsBefore(long word, int level, long edge) {
    return word != 0 && (edge & ((1L << tree.leafShift(word, level)) - 1)) != 0;
  }

  /** Tells whether every granule of [first, last] translates. */
  boolean isLinked(long first, long last) {
    if (!tree.spans(last)) {
      return false;
    }
    long at = first;
    while (true) {
      long entry = tree.locate(at);
      int level = TableTree.levelOf(entry);
      long end;
      if (level == 0) {
        end = RangeLinker.endInLeafTable(at, last);
        int words = (int) ((end - at) >>> TableTree.PAGE_SHIFT) + 1;
        if (!LeafWords.noneZero(segment, TableTree.offsetOfEntry(entry), words)) {
          return false;
        }
      } else {
        long word = wordOf(entry);
        if (word == 0) {
          return false;
        }
        end = at | ((1L << tree.leafShift(word, level)) - 1);
      }
      if (Long.compareUnsigned(end, last) >= 0) {
        return true;
      }
      at = end + 1;
    }
  }

  /** Replaces read and write of every leaf in [first, last], all of which are linked and whole. */
  void protect(long first, long last, int access) {
    long mask = format.readBits() | format.writeBits();
    long bits = format.encodeAccess(access) & mask;
    long at = first;
    long entry = tree.locate(at);
    while (true) {
      long offset = TableTree.offsetOfEntry(entry);
      long word = tree.acquire(offset);
      // Hardware may set accessed and dirty bits meanwhile, and they must survive.
      while (!tree.replace(offset, word, (word & ~mask) | bits)) {
        word = tree.acquire(offset);
      }
      long end = at | ((1L << TableTree.wordShift(TableTree.levelOf(entry))) - 1);
      if (Long.compareUnsigned(end, last) >= 0) {
        return;
      }
      at = end + 1;
      entry = tree.next(entry, 1, at);
    }
  }

  /** Shows every leaf that touches [first, last] and returns how many there are. */
  long visit(long first, long last, @Nullable LeafVisitor visitor) {
    if (!tree.spans(first)) {
      return 0;
    }
    long lastSpanned = tree.clip(last);
    long leaves = 0;
    long at = first;
    long entry = tree.locate(at);
    while (true) {
      long word = wordOf(entry);
      long mask = spanOf(word, entry) - 1;
      if (word != 0) {
        leaves++;
        if (visitor != null) {
          visitor.leaf(at & ~mask, word & TableFormat.ADDRESS_MASK & ~mask, mask + 1, format.accessOf(word));
        }
      }
      long end = at | mask;
      if (Long.compareUnsigned(end, lastSpanned) >= 0) {
        return leaves;
      }
      entry = after(entry, at, end);
      at = end + 1;
    }
  }

  /** Returns the first linked address from {@code first} to {@code last}, or {@link RadixPageTable#NO_LEAF}. */
  long firstLinked(long first, long last) {
    if (!tree.spans(first)) {
      return RadixPageTable.NO_LEAF;
    }
    long lastSpanned = tree.clip(last);
    long at = first;
    long entry = tree.locate(at);
    while (true) {
      long word = wordOf(entry);
      if (word != 0) {
        return at;
      }
      long end = at | (spanOf(word, entry) - 1);
      if (Long.compareUnsigned(end, lastSpanned) >= 0) {
        return RadixPageTable.NO_LEAF;
      }
      entry = after(entry, at, end);
      at = end + 1;
    }
  }

  private boolean splitsBefore(long iova, long edge) {
    if (!tree.spans(iova)) {
      return false;
    }
    long entry = tree.locate(iova);
    return splitsBefore(wordOf(entry), TableTree.levelOf(entry), edge);
  }

  private long spanOf(long word, long entry) {
    int level = TableTree.levelOf(entry);
    return 1L << (word == 0 ? TableTree.wordShift(level) : tree.leafShift(word, level));
  }

  private long after(long entry, long at, long end) {
    long words = ((end - at) >>> TableTree.wordShift(TableTree.levelOf(entry))) + 1;
    return tree.next(entry, words, end + 1);
  }

  private long wordOf(long entry) {
    return tree.acquire(TableTree.offsetOfEntry(entry));
  }
}
