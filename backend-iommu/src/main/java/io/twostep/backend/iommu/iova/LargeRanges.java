package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Remember the sizes of live ranges of more than 32 granules: one word for each place they can begin at, the multiples
 * of 64 granules.
 *
 * <p>Chunks come into being with the first range inside them and stay. A range is marked and cleared by its owner
 * without locks. A thread that reads a chunk it did not create sees zeros or what its owner handed over with the range.
 */
final class LargeRanges {
  private static final int PLACE_ORDER = 6;
  private static final int CHUNK_ORDER = 9;
  private static final int CHUNK = 1 << CHUNK_ORDER;

  private final long[] @Nullable [] @Nullable [] @Nullable [] directory;
  private final int partOrder;

  /** Create the memory for the large ranges in {@code [0, granules)}. */
  LargeRanges(long granules) {
    int chunkBits = Math.max(0, RangeSize.order(granules) - PLACE_ORDER - CHUNK_ORDER);
    partOrder = (chunkBits + 2) / 3;
    directory = new long[1 << Math.max(0, chunkBits - 2 * partOrder)][][][];
  }

  void mark(long start, long size) {
    long[] chunk = chunk(start);
    if (chunk == null) {
      chunk = create(start);
    }
    chunk[(int) (start >>> PLACE_ORDER) & (CHUNK - 1)] = size;
  }

  boolean tryClear(long start, long size) {
    long[] chunk = chunk(start);
    int at = (int) (start >>> PLACE_ORDER) & (CHUNK - 1);
    if (chunk == null || chunk[at] != size || !isPlace(start)) {
      return false;
    }
    chunk[at] = 0;
    return true;
  }

  long sizeAt(long start) {
    long[] chunk = chunk(start);
    return chunk == null || !isPlace(start) ? 0 : chunk[(int) (start >>> PLACE_ORDER) & (CHUNK - 1)];
  }

  void forEach(LiveRangeVisitor visitor) {
    for (int upper = 0; upper < directory.length; upper++) {
      long[] @Nullable [] @Nullable [] middle = directory[upper];
      for (int index = 0; middle != null && index < middle.length; index++) {
        long[] @Nullable [] lower = middle[index];
        for (int last = 0; lower != null && last < lower.length; last++) {
          long[] chunk = lower[last];
          long base = (((((long) upper << partOrder) + index) << partOrder) + last) << CHUNK_ORDER;
          for (int at = 0; chunk != null && at < CHUNK; at++) {
            if (chunk[at] != 0) {
              visitor.visit((base + at) << PLACE_ORDER, chunk[at]);
            }
          }
        }
      }
    }
  }

  private boolean isPlace(long start) {
    return (start & ((1L << PLACE_ORDER) - 1)) == 0;
  }

  private long @Nullable [] chunk(long start) {
    long number = start >>> (PLACE_ORDER + CHUNK_ORDER);
    long[] @Nullable [] @Nullable [] middle = directory[(int) (number >>> (2 * partOrder))];
    if (middle == null) {
      return null;
    }
    long[] @Nullable [] lower = middle[part(number >>> partOrder)];
    return lower == null ? null : lower[part(number)];
  }

  private synchronized long[] create(long start) {
    long number = start >>> (PLACE_ORDER + CHUNK_ORDER);
    int upper = (int) (number >>> (2 * partOrder));
    long[] @Nullable [] @Nullable [] middle = directory[upper];
    if (middle == null) {
      middle = new long[1 << partOrder][][];
      directory[upper] = middle;
    }
    long[] @Nullable [] lower = middle[part(number >>> partOrder)];
    if (lower == null) {
      lower = new long[1 << partOrder][];
      middle[part(number >>> partOrder)] = lower;
    }
    long[] chunk = lower[part(number)];
    if (chunk == null) {
      chunk = new long[CHUNK];
      lower[part(number)] = chunk;
    }
    return chunk;
  }

  private int part(long number) {
    return (int) number & ((1 << partOrder) - 1);
  }
}
