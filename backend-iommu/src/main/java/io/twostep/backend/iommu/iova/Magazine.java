package io.twostep.backend.iommu.iova;

/**
 * Hold up to 127 range starts of one size, newest first out. Not thread-safe: whoever holds it owns it.
 *
 * <p>One array, padded at both ends so that magazines of different owners never share a cache line:
 *
 * <pre>
 *   words  0..7     padding
 *   word   8        count
 *   word   9        a lower bound of all starts held
 *   words 16..142   starts
 *   words 143..151  padding
 * </pre>
 */
final class Magazine {
  static final int CAPACITY = 127;

  /** The answer of {@link #pop} when nothing fits. */
  static final long NONE = -1;

  private static final int COUNT = 8;
  private static final int LOWEST = 9;
  private static final int FIRST = 16;
  private static final int WORDS = FIRST + CAPACITY + 9;

  private final long[] words = new long[WORDS];

  boolean isEmpty() {
    return words[COUNT] == 0;
  }

  boolean isFull() {
    return words[COUNT] == CAPACITY;
  }

  int count() {
    return (int) words[COUNT];
  }

  /** Add a start; the magazine must not be full. */
  void push(long start) {
    int count = (int) words[COUNT];
    words[LOWEST] = count == 0 ? start : Math.min(words[LOWEST], start);
    words[FIRST + count] = start;
    words[COUNT] = count + 1L;
  }

  /** Take the newest start that is at most {@code highestStart}, or {@link #NONE}. */
  long pop(long highestStart) {
    int last = (int) words[COUNT] - 1;
    if (last < 0) {
      return NONE;
    }
    long newest = words[FIRST + last];
    if (newest <= highestStart) {
      words[COUNT] = last;
      return newest;
    }
    return words[LOWEST] > highestStart ? NONE : popFiltered(last, highestStart);
  }

  private long popFiltered(int last, long highestStart) {
    for (int index = last - 1; index >= 0; index--) {
      long start = words[FIRST + index];
      if (start <= highestStart) {
        words[FIRST + index] = words[FIRST + last];
        words[COUNT] = last;
        return start;
      }
    }
    return NONE;
  }
}
