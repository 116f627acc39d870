package io.twostep.backend.iommu.iova;

/**
 * Compute on a leaf of the free tree: 64 granules in one word, a set bit for each free granule, bit 0 lowest.
 *
 * <p>A {@linkplain FreeNodes#summary summary} says what the leaf could satisfy; only powers of two matter up to 32
 * granules, because smaller requests have no other sizes.
 */
final class Leaf {
  /** The order of the size of a leaf. */
  static final int ORDER = 6;

  private static final long[] ALIGNED = {
    -1L, 0x5555555555555555L, 0x1111111111111111L, 0x0101010101010101L, 0x0001000100010001L, 0x0000000100000001L, 1L
  };

  private Leaf() {}

  /** Compute the mask of a non-empty range of granules inside one leaf. */
  static long mask(long from, long to) {
    return (-1L >>> (Long.SIZE - (to - from))) << from;
  }

  static int summarise(long free) {
    int prefix = Long.numberOfTrailingZeros(~free);
    return FreeNodes.summary(prefix > 32 ? RangeSize.floorCode(prefix) : largestPower(free), RangeSize.floorCode(prefix));
  }

  private static int largestPower(long free) {
    if (free == 0) {
      return 0;
    }
    long two = free & (free >>> 1) & ALIGNED[1];
    long four = two & (two >>> 2) & ALIGNED[2];
    long eight = four & (four >>> 4) & ALIGNED[3];
    long sixteen = eight & (eight >>> 8) & ALIGNED[4];
    long thirtyTwo = sixteen & (sixteen >>> 16) & ALIGNED[5];
    int order = bit(two) + bit(four) + bit(eight) + bit(sixteen) + bit(thirtyTwo);
    return RangeSize.powerCode(order);
  }

  private static int bit(long value) {
    return value == 0 ? 0 : 1;
  }

  /**
   * Find the highest start that is aligned to 2^alignOrder, is at most {@code highestStart} and has {@code size} free
   * granules from there on.
   *
   * @return the offset in the leaf, or -1
   */
  static int find(long free, int size, int alignOrder, long highestStart) {
    long starts = free;
    int run = 1;
    while (run < size) {
      int step = Math.min(run, size - run);
      starts &= starts >>> step;
      run += step;
    }
    starts &= ALIGNED[alignOrder];
    if (highestStart < Long.SIZE - 1) {
      starts &= (2L << highestStart) - 1;
    }
    return Long.SIZE - 1 - Long.numberOfLeadingZeros(starts);
  }
}
