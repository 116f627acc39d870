package io.twostep.backend.iommu.iova;

/**
 * Spread threads over the locks of a striped structure by their identity.
 *
 * <p>A stripe that is busy is passed over: which stripe serves a call must never matter for its result.
 */
final class Stripes {
  /** Spreads consecutive thread ids evenly (2^64 divided by the golden ratio). */
  private static final long SPREAD = 0x9e3779b97f4a7c15L;

  private static final int ROUNDS = 8;

  private final SpinLock[] locks;
  private final int mask;

  /** Create the locks of at least {@code stripes} stripes, a power of two. */
  Stripes(int stripes) {
    locks = new SpinLock[1 << RangeSize.order(stripes)];
    mask = locks.length - 1;
    for (int index = 0; index < locks.length; index++) {
      locks[index] = new SpinLock();
    }
  }

  /** Check a number of stripes that somebody asked for. */
  static int checked(String name, int stripes) {
    if (stripes < 1 || stripes > 1 << 16) {
      throw new IllegalArgumentException(name + ": stripes must be from 1 to 65536, not " + stripes);
    }
    return stripes;
  }

  int count() {
    return locks.length;
  }

  /** Lock a stripe for the calling thread and tell which. */
  int lock() {
    int home = (int) ((Thread.currentThread().threadId() * SPREAD) >>> 32) & mask;
    return locks[home].tryLock() ? home : lockAnother(home);
  }

  private int lockAnother(int home) {
    for (int offset = 1; offset < ROUNDS * locks.length; offset++) {
      int index = (home + offset) & mask;
      if (locks[index].tryLock()) {
        return index;
      }
      Thread.onSpinWait();
    }
    locks[home].lock();
    return home;
  }

  /** Lock one particular stripe. */
  void lock(int index) {
    locks[index].lock();
  }

  void unlock(int index) {
    locks[index].unlock();
  }
}
