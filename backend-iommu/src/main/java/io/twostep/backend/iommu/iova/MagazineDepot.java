package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Keep full magazines of one size class for whichever stripe runs dry, and empty ones for reuse.
 *
 * <p>A magazine is 127 range starts. Bounded, so that no timer has to shrink it: what does not fit goes back to the tree at once, and the rest
 * when an allocation finds no room. Thread-safe; its lock comes after that of a stripe and before that of the tree.
 */
final class MagazineDepot extends SpinLock {
  /** How many ranges a magazine holds. */
  static final int MAGAZINE = 127;

  /** The most full magazines that are kept. */
  static final int CAPACITY = 64;

  private final SharedFreeTree tree;
  private final long size;
  private final long[] @Nullable [] full = new long[CAPACITY][];
  private final long[] @Nullable [] empty = new long[CAPACITY][];
  private int fullCount;
  private int emptyCount;
  private int draining;

  /** Create the depot of ranges of {@code size} granules. */
  MagazineDepot(SharedFreeTree tree, long size) {
    this.tree = tree;
    this.size = size;
  }

  /** Copy a magazine to {@code starts} from {@code at} on; false when there is none. */
  boolean tryTake(long[] starts, int at) {
    lock();
    try {
      // While everything is drained nothing may slip into a stripe that was drained already.
      if (fullCount == 0 || draining != 0) {
        return false;
      }
      long[] magazine = take(full, --fullCount);
      System.arraycopy(magazine, 0, starts, at, MAGAZINE);
      keepEmpty(magazine);
      return true;
    } finally {
      unlock();
    }
  }

  /** Keep a copy of the magazine at {@code at} of {@code starts}; when the depot is full, the ranges go back to the tree. */
  void give(long[] starts, int at) {
    lock();
    try {
      if (fullCount < CAPACITY) {
        long[] magazine = emptyCount > 0 ? take(empty, --emptyCount) : new long[MAGAZINE];
        System.arraycopy(starts, at, magazine, 0, MAGAZINE);
        full[fullCount++] = magazine;
        return;
      }
    } finally {
      unlock();
    }
    tree.freeAll(starts, at, MAGAZINE, size);
  }

  /** Count the ranges held here. */
  long cachedRanges() {
    lock();
    try {
      return (long) fullCount * MAGAZINE;
    } finally {
      unlock();
    }
  }

  /** Refuse to hand out magazines until {@link #drain}. */
  void beginDrain() {
    lock();
    try {
      draining++;
    } finally {
      unlock();
    }
  }

  /** Give everything back to the tree, and end what {@link #beginDrain} began. */
  void drain() {
    lock();
    try {
      while (fullCount > 0) {
        freeOne();
      }
      draining--;
    } finally {
      unlock();
    }
  }

  private void freeOne() {
    long[] magazine = take(full, --fullCount);
    tree.freeAll(magazine, 0, MAGAZINE, size);
    keepEmpty(magazine);
  }

  private void keepEmpty(long[] magazine) {
    if (emptyCount < CAPACITY) {
      empty[emptyCount++] = magazine;
    }
  }

  private static long[] take(long[] @Nullable [] stack, int index) {
    long[] magazine = stack[index];
    stack[index] = null;
    if (magazine == null) {
      throw new IllegalStateException("a magazine is missing at index " + index);
    }
    return magazine;
  }
}
