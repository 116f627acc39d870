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
  private final MagazineDepot[] depots = new MagazineDepot[RangeSize.CACHED_CLASSES];
  private final Stripes<CacheStripe> stripes;

  /** Create an empty cache of ranges of a space of so many granules; {@code name} names it in errors, {@code threads} are served without waiting. */
  RangeCache(SharedFreeTree tree, long granules, String name, int threads) {
    this.tree = tree;
    for (int sizeClass = 0; sizeClass < depots.length; sizeClass++) {
      depots[sizeClass] = new MagazineDepot(tree, RangeSize.ofClass(sizeClass));
    }
    stripes = Stripes.of(name, threads, CacheStripe[]::new, index -> new CacheStripe(tree, depots));
    largest = granules / LARGE_SHARE / stripes.all().length;
  }

  /** Take a range of a cached class that starts at or below {@code highestStart} if the thread's stripe has it on top. */
  long tryTake(int sizeClass, long highestStart) {
    CacheStripe stripe = stripes.lock();
    long start = stripe.tryTake(sizeClass, highestStart);
    stripe.unlock();
    return start;
  }

  /** Take a range of a cached class that starts at or below {@code highestStart}, wherever one is. */
  long take(int sizeClass, long highestStart) {
    CacheStripe stripe = stripes.lock();
    try {
      return stripe.take(sizeClass, highestStart);
    } finally {
      stripe.unlock();
    }
  }

  /** Keep a range of a cached class that came back. */
  void give(int sizeClass, long start) {
    CacheStripe stripe = stripes.lock();
    try {
      stripe.give(sizeClass, start);
    } finally {
      stripe.unlock();
    }
  }

  /** Take a range of a rounded size that has no class, 2^alignOrder aligned, that starts at or below {@code highestStart}. */
  long takeLarge(long size, int alignOrder, long highestStart) {
    CacheStripe stripe = stripes.lock();
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
    CacheStripe stripe = stripes.lock();
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
    for (CacheStripe part : stripes.all()) {
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
    for (CacheStripe part : stripes.all()) {
      part.lock();
      sum += part.allocations();
      part.unlock();
    }
    return sum;
  }

  /** Count the large ranges that are cached. */
  long cachedLargeRanges() {
    long sum = 0;
    for (CacheStripe part : stripes.all()) {
      sum += cachedLarge(part) == 0 ? 0 : 1;
    }
    return sum;
  }

  /** Count the granules of the large ranges that are cached. */
  long cachedLargeGranules() {
    long sum = 0;
    for (CacheStripe part : stripes.all()) {
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
    for (CacheStripe part : stripes.all()) {
      part.lock();
      sum += part.cachedRanges(sizeClass);
      part.unlock();
    }
    return sum;
  }
}
