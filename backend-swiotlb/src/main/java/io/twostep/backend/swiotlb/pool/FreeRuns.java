package io.twostep.backend.swiotlb.pool;

/** Finds runs of ones in the 64 bits of a set, in a handful of steps whatever their length. */
final class FreeRuns {
  private FreeRuns() {}

  /** Returns the positions at which {@code length} ones in a row begin; {@code length} is 1 to 64. */
  static long starts(long bits, int length) {
    long found = bits;
    int have = 1;
    while (have < length) {
      int step = Math.min(have, length - have);
      found &= found >>> step;
      have += step;
    }
    return found;
  }

  /** Returns the length of the longest run, 0 to 64. */
  static int longest(long bits) {
    if (bits == -1L || bits == 0) {
      return bits == 0 ? 0 : Long.SIZE;
    }
    long by2 = bits & bits >>> 1;
    long by4 = by2 & by2 >>> 2;
    long by8 = by4 & by4 >>> 4;
    long by16 = by8 & by8 >>> 8;
    long by32 = by16 & by16 >>> 16;
    long starts = -1L;
    int length = 0;
    if (by32 != 0) {
      starts = by32;
      length = 32;
    }
    // Each step asks whether a run found so far goes on for as many more; shifting out of 64 bits brings zeros.
    for (int more = 16; more != 0; more >>= 1) {
      long level = more == 16 ? by16 : more == 8 ? by8 : more == 4 ? by4 : more == 2 ? by2 : bits;
      long longer = starts & level >>> length;
      if (longer != 0) {
        starts = longer;
        length += more;
      }
    }
    return length;
  }

  /** Returns {@code length} ones, 0 to 64, beginning at {@code from}. */
  static long mask(int from, int length) {
    return length == 0 ? 0 : -1L >>> (Long.SIZE - length) << from;
  }
}
