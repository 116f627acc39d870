package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Remember the sizes of live ranges that occupy 2^order granules, up to 32: one byte for each place they can begin at.
 *
 * <p>Chunks come into being with the first range inside them and stay. A range is marked and cleared by its owner
 * without locks. A thread that reads a chunk it did not create sees zeros or what its owner handed over with the range.
 */
final class SmallRanges {
  private static final int CHUNK_ORDER = 12;
  private static final int CHUNK = 1 << CHUNK_ORDER;

  private final byte[] @Nullable [] @Nullable [] @Nullable [] directory;
  private final int order;
  private final int partOrder;

  /** Create the memory for the ranges of one order in {@code [0, granules)}. */
  SmallRanges(long granules, int order) {
    this.order = order;
    int chunkBits = Math.max(0, RangeSize.order(granules) - order - CHUNK_ORDER);
    partOrder = (chunkBits + 2) / 3;
    directory = new byte[1 << Math.max(0, chunkBits - 2 * partOrder)][][][];
  }

  void mark(long start, long size) {
    byte[] chunk = chunk(start);
    if (chunk == null) {
      chunk = create(start);
    }
    chunk[(int) (start >>> order) & (CHUNK - 1)] = (byte) size;
  }

  boolean tryClear(long start, long size) {
    byte[] chunk = chunk(start);
    int at = (int) (start >>> order) & (CHUNK - 1);
    if (chunk == null || chunk[at] != size || !isPlace(start)) {
      return false;
    }
    chunk[at] = 0;
    return true;
  }

  long sizeAt(long start) {
    byte[] chunk = chunk(start);
    return chunk == null || !isPlace(start) ? 0 : chunk[(int) (start >>> order) & (CHUNK - 1)];
  }

  void forEach(LiveRangeVisitor visitor) {
    for (int upper = 0; upper < directory.length; upper++) {
      byte[] @Nullable [] @Nullable [] middle = directory[upper];
      for (int index = 0; middle != null && index < middle.length; index++) {
        byte[] @Nullable [] lower = middle[index];
        for (int last = 0; lower != null && last < lower.length; last++) {
          byte[] chunk = lower[last];
          long base = (((((long) upper << partOrder) + index) << partOrder) + last) << CHUNK_ORDER;
          for (int at = 0; chunk != null && at < CHUNK; at++) {
            if (chunk[at] != 0) {
              visitor.visit((base + at) << order, chunk[at]);
            }
          }
        }
      }
    }
  }

  private boolean isPlace(long start) {
    return (start & ((1L << order) - 1)) == 0;
  }

  private byte @Nullable [] chunk(long start) {
    long number = start >>> (order + CHUNK_ORDER);
    byte[] @Nullable [] @Nullable [] middle = directory[(int) (number >>> (2 * partOrder))];
    if (middle == null) {
      return null;
    }
    byte[] @Nullable [] lower = middle[part(number >>> partOrder)];
    return lower == null ? null : lower[part(number)];
  }

  private synchronized byte[] create(long start) {
    long number = start >>> (order + CHUNK_ORDER);
    int upper = (int) (number >>> (2 * partOrder));
    byte[] @Nullable [] @Nullable [] middle = directory[upper];
    if (middle == null) {
      middle = new byte[1 << partOrder][][];
      directory[upper] = middle;
    }
    byte[] @Nullable [] lower = middle[part(number >>> partOrder)];
    if (lower == null) {
      lower = new byte[1 << partOrder][];
      middle[part(number >>> partOrder)] = lower;
    }
    byte[] chunk = lower[part(number)];
    if (chunk == null) {
      chunk = new byte[CHUNK];
      lower[part(number)] = chunk;
    }
    return chunk;
  }

  private int part(long number) {
    return (int) number & ((1 << partOrder) - 1);
  }
}
