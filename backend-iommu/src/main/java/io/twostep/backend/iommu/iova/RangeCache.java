package io.twostep.backend.iommu.iova;

/**
 * Keep returned ranges of small sizes close to the threads that will want them again.
 *
 * <p>Locks are taken in the order stripe, depot, tree.
 */
final class RangeCache {
  /** One part in so many of the space may be held by the stripes as large ranges. */
  private static final int LARGE_SHARE = 8;

  private final SharedFreeTree tree;
  private final long largest;
  private final CacheStripe[] parts;
  private final MagazineDepot[] depots = new MagazineDepot[RangeSize.CACHED_CLASSES];

  /** Create an empty cache of ranges of a space of so many granules, with a power of two of stripes. */
  RangeCache(SharedFreeTree tree, long granules, int stripeCount) {
    this.tree = tree;
    largest = granules / LARGE_SHARE / stripeCount;
    for (int sizeClass = 0; sizeClass < depots.length; sizeClass++) {
      depots[sizeClass] = new MagazineDepot(tree, RangeSize.ofClass(sizeClass));
    }
    parts = new CacheStripe[stripeCount];
    for (int index = 0; index < stripeCount; index++) {
      parts[index] = new CacheStripe(tree, depots);
    }
  }

  /** Take a range of a cached class that starts at or below {@code highestStart} if the thread's stripe has it on top. */
  long tryTake(int sizeClass, long highestStart) {
    CacheStripe stripe = Stripes.lock(parts);
    long start = stripe.tryTake(sizeClass, highestStart);
    stripe.unlock();
    return start;
  }

  /** Take a range of a cached class that starts at or below {@code highestStart}, wherever one is. */
  long take(int sizeClass, long highestStart) {
    CacheStripe stripe = Stripes.lock(parts);
    try {
      return stripe.take(sizeClass, highestStart);
    } finally {
      stripe.unlock();
    }
  }

  /** Keep a range of a cached class that came back. */
  void give(int sizeClass, long start) {
    CacheStripe stripe = Stripes.lock(parts);
    try {
      stripe.give(sizeClass, start);
    } finally {
      stripe.unlock();
    }
  }

  /** Take a range of a rounded size that has no class, 2^alignOrder aligned, that starts at or below {@code highestStart}. */
  long takeLarge(long size, int alignOrder, long highestStart) {
    CacheStripe stripe = Stripes.lock(parts);
    try {
      return stripe.takeLarge(size, alignOrder, highestStart);
    } finally {
      stripe.unlock();
    }
  }

  /** Keep a range of a size that has no class, or give it to the tree if it is too large to be kept. */
  void giveLarge(long size, long start) {
    if (size > largest) {
      tree.free(start, size);
      return;
    }
    CacheStripe stripe = Stripes.lock(parts);
    try {
      stripe.giveLarge(size, start);
    } finally {
      stripe.unlock();
    }
  }

  /** Give everything cached before this call back to the tree. */
  void drain() {
    for (MagazineDepot depot : depots) {
      depot.beginDrain();
    }
    for (CacheStripe part : parts) {
      part.lock();
      try {
        part.drain();
      } finally {
        part.unlock();
      }
    }
    for (MagazineDepot depot : depots) {
      depot.drain();
    }
  }

  /** Count what was allocated since the beginning. */
  long allocations() {
    long sum = 0;
    for (CacheStripe part : parts) {
      part.lock();
      sum += part.allocations();
      part.unlock();
    }
    return sum;
  }

  /** Count the large ranges that are cached. */
  long cachedLargeRanges() {
    long sum = 0;
    for (CacheStripe part : parts) {
      sum += cachedLarge(part) == 0 ? 0 : 1;
    }
    return sum;
  }

  /** Count the granules of the large ranges that are cached. */
  long cachedLargeGranules() {
    long sum = 0;
    for (CacheStripe part : parts) {
      sum += cachedLarge(part);
    }
    return sum;
  }

  private static long cachedLarge(CacheStripe part) {
    part.lock();
    long granules = part.cachedLarge();
    part.unlock();
    return granules;
  }

  /** Count the ranges of one class that are cached. */
  long cachedRanges(int sizeClass) {
    long sum = depots[sizeClass].cachedRanges();
    for (CacheStripe part : parts) {
      part.lock();
      sum += part.cachedRanges(sizeClass);
      part.unlock();
    }
    return sum;
  }
}
