package io.twostep.backend.iommu.iova;

/**
 * Remember the sizes of the live ranges that begin in one aligned block of 16,384 granules.
 *
 * <p>A range of up to 32 granules occupies 2^order of them and is aligned to that, so it is a node of a binary tree over
 * the block. One byte for each node, in heap order, keeps ranges of one order next to each other:
 *
 * <pre>
 *   bytes 16384..32767   ranges of 1 granule, by start
 *   bytes  8192..16383   ranges of 2 granules, by start / 2
 *   bytes  4096.. 8191   ranges of 4 granules, by start / 4
 *   ...
 *   bytes   512.. 1023   ranges of 32 granules, by start / 32
 * </pre>
 *
 * Larger ranges begin at multiples of 64 granules and have a word each.
 */
final class LiveChunk {
  /** The order of the number of granules in a block. */
  static final int ORDER = 14;

  private static final int GRANULES = 1 << ORDER;
  private static final int LARGE_ORDER = RangeSize.SMALL_ORDER + 1;

  /** Which block this is: the first granule shifted right by the {@linkplain #ORDER order}. */
  final long number;

  private final byte[] small = new byte[2 * GRANULES];
  private final long[] large = new long[GRANULES >>> LARGE_ORDER];

  LiveChunk(long number) {
    this.number = number;
  }

  void mark(long start, long size) {
    if (size <= RangeSize.SMALL_LIMIT) {
      small[node(start, RangeSize.order(size))] = (byte) size;
    } else {
      large[place(start)] = size;
    }
  }

  boolean tryClear(long start, long size) {
    if (size <= RangeSize.SMALL_LIMIT) {
      int order = RangeSize.order(size);
      int node = node(start, order);
      if (small[node] != size || !isAligned(start, order)) {
        return false;
      }
      small[node] = 0;
      return true;
    }
    int place = place(start);
    if (large[place] != size || !isAligned(start, LARGE_ORDER)) {
      return false;
    }
    large[place] = 0;
    return true;
  }

  /** Look up the size of the live range that starts here, or 0. */
  long sizeAt(long start) {
    long size = isAligned(start, LARGE_ORDER) ? large[place(start)] : 0;
    for (int order = 0; size == 0 && order <= RangeSize.SMALL_ORDER && isAligned(start, order); order++) {
      size = small[node(start, order)];
    }
    return size;
  }

  void forEach(LiveRangeVisitor visitor) {
    long base = number << ORDER;
    for (long start = base; start < base + GRANULES; start++) {
      long size = sizeAt(start);
      if (size != 0) {
        visitor.visit(start, size);
      }
    }
  }

  private static int node(long start, int order) {
    return (GRANULES | ((int) start & (GRANULES - 1))) >>> order;
  }

  private static int place(long start) {
    return ((int) start & (GRANULES - 1)) >>> LARGE_ORDER;
  }

  private static boolean isAligned(long start, int order) {
    return (start & ((1L << order) - 1)) == 0;
  }
}
