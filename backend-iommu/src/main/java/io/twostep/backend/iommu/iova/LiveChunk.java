package io.twostep.backend.iommu.iova;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * Remember the sizes of the live ranges that begin in one aligned block of 65,536 granules.
 *
 * <p>A range is aligned to the power of two that is not below its size, so it is a node of a binary tree over the block.
 * One element for each node, and those of one order together, however many granules lie between them: the less there is to
 * touch, the more of it stays in the processor's caches.
 *
 * <pre>
 *   bytes 65536..131071   ranges of 1 granule
 *   bytes 32768.. 65535   ranges of 2 granules
 *   ...
 *   bytes  2048..  4095   ranges up to 32 granules
 *   chars  1024..  2047   ranges up to 64 granules
 *   ...
 *   chars   128..   255   ranges up to 512 granules
 *   longs     0..    63   larger ranges, by start / 1024
 * </pre>
 *
 * <p>Within an order, the ranges of one {@linkplain Leaf leaf} lie in one pair of cache lines, which processors fetch together, and those of the next leaf, but in the middle of the block, in another: a stripe takes
 * its ranges from leaves of its own, and threads should not hand the lines of their records to and fro.
 *
 * <p>Each of the three comes into being with the first range it is for.
 */
final class LiveChunk {
  /** The order of the number of granules in a block. */
  static final int ORDER = 16;

  private static final int GRANULES = 1 << ORDER;
  private static final int MEDIUM_ORDER = RangeSize.order(RangeSize.CACHED_LIMIT);
  private static final int LARGE_ORDER = MEDIUM_ORDER + 1;

  private static final VarHandle SMALL = MethodHandles.arrayElementVarHandle(byte[].class);
  private static final VarHandle MEDIUM = MethodHandles.arrayElementVarHandle(char[].class);
  private static final VarHandle LARGE = MethodHandles.arrayElementVarHandle(long[].class);

  /** Which block this is: the first granule shifted right by the {@linkplain #ORDER order}. */
  final long number;

  // Read without a lock: an array is zero from birth for whoever sees it, and who does not see it yet looks again.
  private byte @Nullable [] small;
  private char @Nullable [] medium;
  private long @Nullable [] large;

  LiveChunk(long number) {
    this.number = number;
  }

  void mark(long start, long size, int order) {
    if (order <= RangeSize.SMALL_ORDER) {
      byte[] sizes = small;
      (sizes != null ? sizes : smallSizes())[smallNode(start, order)] = (byte) size;
    } else {
      markLarger(start, size, order);
    }
  }

  private void markLarger(long start, long size, int order) {
    if (order <= MEDIUM_ORDER) {
      char[] sizes = medium;
      (sizes != null ? sizes : mediumSizes())[mediumNode(start, order)] = (char) size;
    } else {
      long[] sizes = large;
      (sizes != null ? sizes : largeSizes())[place(start)] = size;
    }
  }

  /** Forget a range if exactly this one is live; of any number of threads that try, one succeeds. */
  boolean tryClear(long start, long size, int order) {
    if (order > RangeSize.SMALL_ORDER) {
      return tryClearLarger(start, size, order);
    }
    byte[] sizes = small;
    int node = smallNode(start, order);
    return sizes != null && sizes[node] == size && isAligned(start, order) && SMALL.compareAndSet(sizes, node, (byte) size, (byte) 0);
  }

  /** As {@link #tryClear}, for a range that nobody else clears meanwhile: a small one needs no atomic operation then. */
  boolean tryClearOwned(long start, long size, int order) {
    if (order > RangeSize.SMALL_ORDER) {
      return tryClearLarger(start, size, order);
    }
    byte[] sizes = small;
    int node = smallNode(start, order);
    if (sizes == null || sizes[node] != size || !isAligned(start, order)) {
      return false;
    }
    sizes[node] = 0;
    return true;
  }

  private boolean tryClearLarger(long start, long size, int order) {
    if (order <= MEDIUM_ORDER) {
      char[] sizes = medium;
      int node = mediumNode(start, order);
      return sizes != null && sizes[node] == size && isAligned(start, order) && MEDIUM.compareAndSet(sizes, node, (char) size, (char) 0);
    }
    long[] sizes = large;
    int place = place(start);
    // Sizes below 1 have the highest order: they come here, and 0 equals an empty place.
    return size > 0 && sizes != null && sizes[place] == size && isAligned(start, LARGE_ORDER) && LARGE.compareAndSet(sizes, place, size, 0L);
  }

  /** Look up the size of the live range that starts here, or 0. */
  long sizeAt(long start) {
    byte[] small = this.small;
    char[] medium = this.medium;
    long[] large = this.large;
    long size = 0;
    for (int order = 0; size == 0 && order <= MEDIUM_ORDER && isAligned(start, order); order++) {
      if (order <= RangeSize.SMALL_ORDER) {
        size = small == null ? 0 : small[smallNode(start, order)];
      } else {
        size = medium == null ? 0 : medium[mediumNode(start, order)];
      }
    }
    return size != 0 || large == null || !isAligned(start, LARGE_ORDER) ? size : large[place(start)];
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

  private synchronized byte[] smallSizes() {
    byte[] sizes = small;
    if (sizes == null) {
      sizes = new byte[2 * GRANULES];
      small = sizes;
    }
    return sizes;
  }

  private synchronized char[] mediumSizes() {
    char[] sizes = medium;
    if (sizes == null) {
      sizes = new char[GRANULES >>> RangeSize.SMALL_ORDER];
      medium = sizes;
    }
    return sizes;
  }

  private synchronized long[] largeSizes() {
    long[] sizes = large;
    if (sizes == null) {
      sizes = new long[GRANULES >>> LARGE_ORDER];
      large = sizes;
    }
    return sizes;
  }

  /** The number of a range among those of its order, its lower bits changed the one way that leaves it unique and takes the next leaf to another pair of lines. */
  static int smallNode(long start, int order) {
    int granule = (int) start & (GRANULES - 1);
    int count = GRANULES >>> order;
    return (count | granule >>> order) ^ (granule << 1 & count - 1);
  }

  /** As {@link #smallNode}, for elements of which a pair of lines has 64: the next range lies in another pair. */
  static int mediumNode(long start, int order) {
    int number = ((int) start & (GRANULES - 1)) >>> order;
    int count = GRANULES >>> order;
    return (count | number) ^ (number << 6 & count - 1);
  }

  private static int place(long start) {
    return ((int) start & (GRANULES - 1)) >>> LARGE_ORDER;
  }

  private static boolean isAligned(long start, int order) {
    return (start & ((1L << order) - 1)) == 0;
  }
}
