package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;

/**
 * Reads and writes runs of words within one leaf table.
 *
 * <p>Runs that are cleared, and those that must be empty, are one call each and no loop of single accesses. An access is six methods deep, and HotSpot puts no method into code that stands deeper than 15 in its root: which depth a
 * teardown has is the luck of a JVM, and where it is too deep a word costs 5 ns. Both sides are aligned words, which are copied as words: hardware that walks meanwhile sees each of them whole.
 *
 * <p>One word is the most frequent run, and setting up more for it costs more than the word itself.
 */
final class LeafWords {
  private static final MemorySegment ZEROS = MemorySegment.ofArray(new long[TableTree.WORDS]).asReadOnly();

  private LeafWords() {}

  /** Tells whether all {@code count} words are zero. */
  static boolean allZero(MemorySegment segment, long offset, int count) {
    if (count == 1) {
      return TableTree.word(segment, offset) == 0;
    }
    long bytes = (long) count << 3;
    return MemorySegment.mismatch(ZEROS, 0, bytes, segment, offset, offset + bytes) < 0;
  }

  /** Tells whether none of {@code count} words is zero. */
  static boolean noneZero(MemorySegment segment, long offset, int count) {
    if (count == 1) {
      return TableTree.word(segment, offset) != 0;
    }
    long signs = -1;
    for (int i = 0; i < count; i++) {
      long word = TableTree.word(segment, offset + ((long) i << 3));
      signs &= word | -word;
    }
    return signs < 0;
  }

  /** Returns how many of {@code count} words are not zero. */
  static int present(MemorySegment segment, long offset, int count) {
    int present = 0;
    for (int i = 0; i < count; i++) {
      present += TableTree.word(segment, offset + ((long) i << 3)) == 0 ? 0 : 1;
    }
    return present;
  }

  /** Zeroes {@code count} words. */
  static void zero(MemorySegment segment, long offset, int count) {
    MemorySegment.copy(ZEROS, 0, segment, offset, (long) count << 3);
  }

  /** Writes {@code count} words, each {@code step} more than the one before it. */
  static void fill(MemorySegment segment, long offset, int count, long first, long step) {
    if (count == 1) {
      TableTree.setWord(segment, offset, first);
      return;
    }
    for (int i = 0; i < count; i++) {
      TableTree.setWord(segment, offset + ((long) i << 3), first + i * step);
    }
  }
}
