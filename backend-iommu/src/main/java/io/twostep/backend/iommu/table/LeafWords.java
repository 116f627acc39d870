package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;

/**
 * Reads and writes runs of words within one leaf table, in loops that a compiler can vectorise.
 *
 * <p>One word is the most frequent run, and setting up a vector loop costs more than the word itself.
 */
final class LeafWords {
  private LeafWords() {}

  /** Tells whether all {@code count} words are zero. */
  static boolean allZero(MemorySegment segment, long offset, int count) {
    if (count == 1) {
      return TableTree.word(segment, offset) == 0;
    }
    long any = 0;
    for (int i = 0; i < count; i++) {
      any |= TableTree.word(segment, offset + ((long) i << 3));
    }
    return any == 0;
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

  /** Zeroes {@code count} words. */
  static void zero(MemorySegment segment, long offset, int count) {
    if (count == 1) {
      TableTree.setWord(segment, offset, 0);
      return;
    }
    for (int i = 0; i < count; i++) {
      TableTree.setWord(segment, offset + ((long) i << 3), 0);
    }
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
