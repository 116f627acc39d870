package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Remember the sizes of live ranges of up to 32 granules: one byte per granule, set at the start of a range only.
 *
 * <p>Chunks come into being with the first range inside them and stay. A range is marked and cleared by its owner
 * without locks. A thread that reads a chunk it did not create sees zeros or what its owner handed over with the range.
 */
final class SmallRanges {
  private static final int CHUNK_ORDER = 12;
  private static final int CHUNK = 1 << CHUNK_ORDER;

  private final byte[] @Nullable [] @Nullable [] directory;
  private final int middleOrder;

  SmallRanges(long granules) {
    int chunkBits = Math.max(0, RangeSize.order(granules) - CHUNK_ORDER);
    middleOrder = chunkBits / 2;
    directory = new byte[1 << (chunkBits - middleOrder)][][];
  }

  void mark(long start, long size) {
    byte[] chunk = chunk(start);
    if (chunk == null) {
      chunk = create(start);
    }
    chunk[(int) start & (CHUNK - 1)] = (byte) size;
  }

  boolean tryClear(long start, long size) {
    byte[] chunk = chunk(start);
    int at = (int) start & (CHUNK - 1);
    if (chunk == null || chunk[at] != size) {
      return false;
    }
    chunk[at] = 0;
    return true;
  }

  long sizeAt(long start) {
    byte[] chunk = chunk(start);
    return chunk == null ? 0 : chunk[(int) start & (CHUNK - 1)];
  }

  void forEach(LiveRangeVisitor visitor) {
    for (int upper = 0; upper < directory.length; upper++) {
      byte[] @Nullable [] middle = directory[upper];
      for (int index = 0; middle != null && index < middle.length; index++) {
        byte[] chunk = middle[index];
        long base = (((long) upper << middleOrder) + index) << CHUNK_ORDER;
        for (int at = 0; chunk != null && at < CHUNK; at++) {
          if (chunk[at] != 0) {
            visitor.visit(base + at, chunk[at]);
          }
        }
      }
    }
  }

  private byte @Nullable [] chunk(long start) {
    byte[] @Nullable [] middle = directory[(int) (start >>> (CHUNK_ORDER + middleOrder))];
    return middle == null ? null : middle[middleIndex(start)];
  }

  private synchronized byte[] create(long start) {
    int upper = (int) (start >>> (CHUNK_ORDER + middleOrder));
    byte[] @Nullable [] middle = directory[upper];
    if (middle == null) {
      middle = new byte[1 << middleOrder][];
      directory[upper] = middle;
    }
    byte[] chunk = middle[middleIndex(start)];
    if (chunk == null) {
      chunk = new byte[CHUNK];
      middle[middleIndex(start)] = chunk;
    }
    return chunk;
  }

  private int middleIndex(long start) {
    return (int) (start >>> CHUNK_ORDER) & ((1 << middleOrder) - 1);
  }
}
