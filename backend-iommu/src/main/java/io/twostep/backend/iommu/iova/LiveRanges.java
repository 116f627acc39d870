package io.twostep.backend.iommu.iova;

/**
 * Remember the exact size of every live range, so that a free that does not match an allocation is refused.
 *
 * <p>Ranges are marked and cleared by their owners without locks. Of two threads that clear the same range the later
 * one is refused; only if they do so in the same few nanoseconds can both succeed.
 */
final class LiveRanges {
  private final long granules;
  private final SmallRanges[] small = new SmallRanges[RangeSize.SMALL_ORDER + 1];
  private final LargeRanges large;

  /** Create the memory for {@code [0, granules)}. */
  LiveRanges(long granules) {
    this.granules = granules;
    for (int order = 0; order < small.length; order++) {
      small[order] = new SmallRanges(granules, order);
    }
    large = new LargeRanges(granules);
  }

  /** Record a range; allocates memory only where no range ever lived near it. */
  void mark(long start, long size) {
    if (size <= RangeSize.SMALL_LIMIT) {
      small[RangeSize.order(size)].mark(start, size);
    } else {
      large.mark(start, size);
    }
  }

  /** Forget a range if exactly this one is live. */
  boolean tryClear(long start, long size) {
    if (start >= granules || size <= 0) {
      return false;
    }
    return size <= RangeSize.SMALL_LIMIT ? small[RangeSize.order(size)].tryClear(start, size) : large.tryClear(start, size);
  }

  /** Look up the size of the live range that starts here, or 0. */
  long sizeAt(long start) {
    if (start >= granules) {
      return 0;
    }
    long size = large.sizeAt(start);
    for (int order = 0; order < small.length && size == 0; order++) {
      size = small[order].sizeAt(start);
    }
    return size;
  }

  /** Visit what is live, by size class; exact only while nobody allocates or frees. */
  void forEach(LiveRangeVisitor visitor) {
    for (SmallRanges ranges : small) {
      ranges.forEach(visitor);
    }
    large.forEach(visitor);
  }
}
