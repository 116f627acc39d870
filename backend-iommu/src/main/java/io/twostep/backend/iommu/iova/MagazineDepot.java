package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Keep full magazines of one size class for whichever stripe runs dry, and empty ones for reuse.
 *
 * <p>Bounded; what does not fit and what was not needed for a while goes back to the tree. Thread-safe; its lock comes
 * after that of a stripe and before that of the tree.
 */
final class MagazineDepot extends SpinLock {
  /** The most full magazines that are kept. */
  static final int CAPACITY = 64;

  private final SharedFreeTree tree;
  private final long size;
  private final @Nullable Magazine[] full = new Magazine[CAPACITY];
  private final @Nullable Magazine[] empty = new Magazine[CAPACITY];
  private int fullCount;
  private int emptyCount;
  private int leastSinceTrim;
  private int draining;

  /** Create the depot of ranges of {@code size} granules. */
  MagazineDepot(SharedFreeTree tree, long size) {
    this.tree = tree;
    this.size = size;
  }

  /** Trade an empty magazine for a full one; without a full one the empty one comes back. */
  Magazine tradeEmpty(Magazine given) {
    lock();
    try {
      // While everything is drained nothing may slip into a stripe that was drained already.
      if (fullCount == 0 || draining != 0) {
        return given;
      }
      Magazine taken = take(full, --fullCount);
      leastSinceTrim = Math.min(leastSinceTrim, fullCount);
      keepEmpty(given);
      return taken;
    } finally {
      unlock();
    }
  }

  /** Trade a full magazine for an empty one; when the depot is full, the ranges go back to the tree. */
  Magazine tradeFull(Magazine given) {
    lock();
    try {
      if (fullCount < CAPACITY) {
        full[fullCount++] = given;
        return emptyCount > 0 ? take(empty, --emptyCount) : new Magazine();
      }
    } finally {
      unlock();
    }
    tree.freeAll(given, size);
    return given;
  }

  /** Count the ranges held here. */
  long cachedRanges() {
    lock();
    try {
      return (long) fullCount * Magazine.CAPACITY;
    } finally {
      unlock();
    }
  }

  /** Give back to the tree what was not needed since the last trim. */
  void trim() {
    lock();
    try {
      for (int surplus = leastSinceTrim; surplus > 0; surplus--) {
        freeOne();
      }
      leastSinceTrim = fullCount;
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
      leastSinceTrim = 0;
      draining--;
    } finally {
      unlock();
    }
  }

  private void freeOne() {
    Magazine magazine = take(full, --fullCount);
    tree.freeAll(magazine, size);
    keepEmpty(magazine);
  }

  private void keepEmpty(Magazine magazine) {
    if (emptyCount < CAPACITY) {
      empty[emptyCount++] = magazine;
    }
  }

  private static Magazine take(@Nullable Magazine[] stack, int index) {
    Magazine magazine = stack[index];
    stack[index] = null;
    if (magazine == null) {
      throw new IllegalStateException("a magazine is missing at index " + index);
    }
    return magazine;
  }
}
