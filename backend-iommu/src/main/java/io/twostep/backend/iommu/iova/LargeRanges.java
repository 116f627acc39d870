package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Remember the sizes of live ranges of more than 32 granules: one word per 64 granules, set at the start of a range only.
 *
 * <p>Such ranges begin on a multiple of 64 granules, so a word belongs to one range.
 *
 * <p>Chunks come into being with the first range inside them and stay. A range is marked and cleared by its owner
 * without locks. A thread that reads a chunk it did not create sees zeros or what its owner handed over with the range.
 */
final class LargeRanges {
  private static final int ALIGN_ORDER = 6;
  private static final int CHUNK_ORDER = 9;
  private static final int CHUNK = 1 << CHUNK_ORDER;

  private final long[] @Nullable [] @Nullable [] directory;
  private final int middleOrder;

  LargeRanges(long granules) {
    int chunkBits = Math.max(0, RangeSize.order(granules) - ALIGN_ORDER - CHUNK_ORDER);
    middleOrder = chunkBits / 2;
    directory = new long[1 << (chunkBits - middleOrder)][][];
  }

  void mark(long start, long size) {
    long[] chunk = chunk(start);
    if (chunk == null) {
      chunk = create(start);
    }
    chunk[(int) (start >>> ALIGN_ORDER) & (CHUNK - 1)] = size;
  }

  boolean tryClear(long start, long size) {
    long[] chunk = chunk(start);
    int at = (int) (start >>> ALIGN_ORDER) & (CHUNK - 1);
    if (chunk == null || chunk[at] != size || (start & ((1L << ALIGN_ORDER) - 1)) != 0) {
      return false;
    }
    chunk[at] = 0;
    return true;
  }

  long sizeAt(long start) {
    long[] chunk = chunk(start);
    return chunk == null || (start & ((1L << ALIGN_ORDER) - 1)) != 0 ? 0 : chunk[(int) (start >>> ALIGN_ORDER) & (CHUNK - 1)];
  }

  void forEach(LiveRangeVisitor visitor) {
    for (int upper = 0; upper < directory.length; upper++) {
      long[] @Nullable [] middle = directory[upper];
      for (int index = 0; middle != null && index < middle.length; index++) {
        long[] chunk = middle[index];
        long base = (((long) upper << middleOrder) + index) << CHUNK_ORDER;
        for (int at = 0; chunk != null && at < CHUNK; at++) {
          if (chunk[at] != 0) {
            visitor.visit((base + at) << ALIGN_ORDER, chunk[at]);
          }
        }
      }
    }
  }

  private long @Nullable [] chunk(long start) {
    long[] @Nullable [] middle = directory[(int) (start >>> (ALIGN_ORDER + CHUNK_ORDER + middleOrder))];
    return middle == null ? null : middle[middleIndex(start)];
  }

  private synchronized long[] create(long start) {
    int upper = (int) (start >>> (ALIGN_ORDER + CHUNK_ORDER + middleOrder));
    long[] @Nullable [] middle = directory[upper];
    if (middle == null) {
      middle = new long[1 << middleOrder][];
      directory[upper] = middle;
    }
    long[] chunk = middle[middleIndex(start)];
    if (chunk == null) {
      chunk = new long[CHUNK];
      middle[middleIndex(start)] = chunk;
    }
    return chunk;
  }

  private int middleIndex(long start) {
    return (int) (start >>> (ALIGN_ORDER + CHUNK_ORDER)) & ((1 << middleOrder) - 1);
  }
}
