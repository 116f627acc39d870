package io.twostep.backend.iommu.iova;

/**
 * Round range sizes to the steps the allocator works in, and number those steps.
 *
 * <p>All sizes are in granules. Up to 32 granules the steps are the powers of two; above, every power of two is split
 * into four equal steps, so that at most a quarter of a range is lost to rounding. A <em>code</em> is an unsigned byte
 * that grows with the size: equal steps have equal codes, and the code of any other size is that of the step below it.
 * Code 0 is the empty size.
 */
final class RangeSize {
  /** The largest size that is rounded to a power of two. */
  static final long SMALL_LIMIT = 32;

  /** The order of that size. */
  static final int SMALL_ORDER = 5;

  /** The largest size that caches hold. */
  static final long CACHED_LIMIT = 512;

  /** The number of sizes that caches hold: 1, 2, 4, 8, 16, 32, 40, 48, 56, 64, 80, ... 512. */
  static final int CACHED_CLASSES = 22;

  private RangeSize() {}

  /** Round a size from 1 to 2^61 granules up to the next step. */
  static long roundUp(long granules) {
    int order = order(granules);
    return granules <= SMALL_LIMIT ? 1L << order : roundUpTo(granules, 1L << (order - 3));
  }

  /** Compute the order of the natural alignment: the smallest power of two that is not below the size. */
  static int order(long granules) {
    return Long.SIZE - Long.numberOfLeadingZeros(granules - 1);
  }

  /** Compute the code of the largest step that is not above the size (0 to 2^62). */
  static int floorCode(long granules) {
    if (granules == 0) {
      return 0;
    }
    int exponent = Long.SIZE - 1 - Long.numberOfLeadingZeros(granules);
    int quarters = (int) ((granules << 2) >>> exponent) & 3;
    return 4 * exponent + quarters + 1;
  }

  /** Compute the code of 2^order granules. */
  static int powerCode(int order) {
    return 4 * order + 1;
  }

  /** Compute the size in granules that a code stands for. */
  static long ofCode(int code) {
    if (code == 0) {
      return 0;
    }
    int step = code - 1;
    return ((4L + (step & 3)) << (step >>> 2)) >>> 2;
  }

  /** Number the steps from 0: the {@linkplain #CACHED_CLASSES first} of them are what caches hold. */
  static int classOf(long granules) {
    return granules <= SMALL_LIMIT
        ? order(granules)
        : floorCode(roundUp(granules)) - (powerCode(SMALL_ORDER) - SMALL_ORDER);
  }

  /** Compute the rounded size of a class. */
  static long ofClass(int sizeClass) {
    return sizeClass <= SMALL_ORDER ? 1L << sizeClass : ofCode(sizeClass + powerCode(SMALL_ORDER) - SMALL_ORDER);
  }

  private static long roundUpTo(long value, long powerOfTwo) {
    return (value + powerOfTwo - 1) & -powerOfTwo;
  }
}
