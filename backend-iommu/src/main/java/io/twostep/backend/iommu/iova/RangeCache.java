package io.twostep.backend.iommu.iova;

/**
 * Keep returned ranges of small sizes close to the threads that will want them again.
 *
 * <p>Locks are taken in the order stripe, depot, tree.
 */
final class RangeCache {
  private final CacheStripe[] parts;
  private final MagazineDepot[] depots = new MagazineDepot[RangeSize.CACHED_CLASSES];

  /** Create an empty cache with a power of two of stripes. */
  RangeCache(SharedFreeTree tree, int stripeCount) {
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

  /** Count a range that the caller took from the tree. */
  void countAllocation() {
    CacheStripe stripe = Stripes.lock(parts);
    stripe.countAllocation();
    stripe.unlock();
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
