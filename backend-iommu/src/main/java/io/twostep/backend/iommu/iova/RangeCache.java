package io.twostep.backend.iommu.iova;

/**
 * Keep returned ranges of small sizes close to the threads that will want them again.
 *
 * <p>Threads are spread over stripes by their identity. A stripe that is busy is passed over: which stripe serves a
 * call never matters for its result. Locks are taken in the order stripe, depot, tree.
 */
final class RangeCache {
  /** Spreads consecutive thread ids evenly (2^64 divided by the golden ratio). */
  private static final long SPREAD = 0x9e3779b97f4a7c15L;

  private static final int ROUNDS = 8;

  private final CacheStripe[] stripes;
  private final MagazineDepot[] depots = new MagazineDepot[RangeSize.CACHED_CLASSES];

  /** Create a cache with a power of two of stripes. */
  RangeCache(SharedFreeTree tree, int stripeCount) {
    for (int sizeClass = 0; sizeClass < depots.length; sizeClass++) {
      depots[sizeClass] = new MagazineDepot(tree, RangeSize.ofClass(sizeClass));
    }
    stripes = new CacheStripe[stripeCount];
    for (int index = 0; index < stripeCount; index++) {
      stripes[index] = new CacheStripe(tree, depots);
    }
  }

  /** Lock a stripe for the calling thread; the caller unlocks it. */
  CacheStripe lockStripe() {
    int home = (int) ((Thread.currentThread().threadId() * SPREAD) >>> 32) & (stripes.length - 1);
    CacheStripe stripe = stripes[home];
    return stripe.lock.tryLock() ? stripe : lockAnother(home);
  }

  private CacheStripe lockAnother(int home) {
    for (int offset = 1; offset < ROUNDS * stripes.length; offset++) {
      CacheStripe stripe = stripes[(home + offset) & (stripes.length - 1)];
      if (stripe.lock.tryLock()) {
        return stripe;
      }
      Thread.onSpinWait();
    }
    stripes[home].lock.lock();
    return stripes[home];
  }

  /** Give everything cached before this call back to the tree. */
  void drain() {
    for (MagazineDepot depot : depots) {
      depot.beginDrain();
    }
    for (CacheStripe stripe : stripes) {
      stripe.lock.lock();
      try {
        stripe.drain();
      } finally {
        stripe.lock.unlock();
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
