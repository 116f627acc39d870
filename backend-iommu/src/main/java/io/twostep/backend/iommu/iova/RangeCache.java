package io.twostep.backend.iommu.iova;

/**
 * Keep returned ranges of small sizes close to the threads that will want them again.
 *
 * <p>Locks are taken in the order stripe, depot, tree.
 */
final class RangeCache {
  private final Stripes locks;
  private final CacheStripe[] stripes;
  private final MagazineDepot[] depots = new MagazineDepot[RangeSize.CACHED_CLASSES];

  RangeCache(SharedFreeTree tree, int stripeCount) {
    locks = new Stripes(stripeCount);
    for (int sizeClass = 0; sizeClass < depots.length; sizeClass++) {
      depots[sizeClass] = new MagazineDepot(tree, RangeSize.ofClass(sizeClass));
    }
    stripes = new CacheStripe[locks.count()];
    for (int index = 0; index < stripes.length; index++) {
      stripes[index] = new CacheStripe(tree, depots);
    }
  }

  /** Take a range of a cached class that starts at or below {@code highestStart}. */
  long take(int sizeClass, long granules, long highestStart) {
    int index = locks.lock();
    try {
      CacheStripe stripe = stripes[index];
      long start = stripe.take(sizeClass, highestStart);
      if (start != FreeTree.NONE) {
        stripe.countAllocation(granules);
      }
      return start;
    } finally {
      locks.unlock(index);
    }
  }

  /** Keep a range of a cached class that came back. */
  void give(int sizeClass, long granules, long start) {
    int index = locks.lock();
    try {
      stripes[index].give(sizeClass, start);
      stripes[index].countFree(granules);
    } finally {
      locks.unlock(index);
    }
  }

  /** Count a range that the caller took from the tree. */
  void countAllocation(long granules) {
    int index = locks.lock();
    stripes[index].countAllocation(granules);
    locks.unlock(index);
  }

  /** Count a range that the caller gives to the tree. */
  void countFree(long granules) {
    int index = locks.lock();
    stripes[index].countFree(granules);
    locks.unlock(index);
  }

  /** Give everything cached before this call back to the tree. */
  void drain() {
    for (MagazineDepot depot : depots) {
      depot.beginDrain();
    }
    for (int index = 0; index < stripes.length; index++) {
      locks.lock(index);
      try {
        stripes[index].drain();
      } finally {
        locks.unlock(index);
      }
    }
    for (MagazineDepot depot : depots) {
      depot.drain();
    }
  }

  /** Give back what the depots did not need since the last trim. */
  void trim() {
    for (MagazineDepot depot : depots) {
      depot.trim();
    }
  }

  long allocations() {
    long sum = 0;
    for (CacheStripe stripe : stripes) {
      sum += stripe.allocations();
    }
    return sum;
  }

  long frees() {
    long sum = 0;
    for (CacheStripe stripe : stripes) {
      sum += stripe.frees();
    }
    return sum;
  }

  long liveGranules() {
    long sum = 0;
    for (CacheStripe stripe : stripes) {
      sum += stripe.liveGranules();
    }
    return sum;
  }
}
