package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Share one free tree between threads: a lock around every call, and counts of what the tree gave away.
 *
 * <p>Last in the order of locks: nothing is called from inside.
 */
final class SharedFreeTree extends SpinLock {
  private final FreeTree tree;
  private @Nullable CacheStripe lastTaker;
  private long takenRanges;
  private long takenGranules;

  SharedFreeTree(FreeTree tree) {
    this.tree = tree;
  }

  long take(long size, int alignOrder, long highestStart) {
    lock();
    try {
      long start = tree.take(size, alignOrder, highestStart);
      if (start != FreeTree.NONE) {
        takenRanges++;
        takenGranules += size;
      }
      return start;
    } finally {
      unlock();
    }
  }

  /**
   * Take ranges of 2^order granules for a stripe, highest first.
   *
   * <p>A stripe that comes after another gets a leaf of its own while there are free ones. The words that translate the ranges of a leaf, and the records of them, share cache lines, which the threads of two stripes
   * would hand to and fro with each mapping.
   */
  int takeSome(CacheStripe stripe, int order, long highestStart, long[] starts, int most) {
    lock();
    try {
      int taken = lastTaker == null || lastTaker == stripe ? 0 : takeLeaf(order, highestStart, starts);
      if (taken == 0) {
        taken = tree.takeSome(order, highestStart, starts, most);
      }
      lastTaker = stripe;
      takenRanges += taken;
      takenGranules += (long) taken << order;
      return taken;
    } finally {
      unlock();
    }
  }

  private int takeLeaf(int order, long highestStart, long[] starts) {
    long size = 1L << Leaf.ORDER;
    long leaf = tree.take(size, Leaf.ORDER, highestStart - size + (1L << order));
    if (leaf == FreeTree.NONE) {
      return 0;
    }
    int count = 1 << (Leaf.ORDER - order);
    for (int i = 0; i < count; i++) {
      starts[i] = leaf + ((long) (count - 1 - i) << order);
    }
    return count;
  }

  void free(long start, long size) {
    lock();
    try {
      giveBack(start, size);
    } finally {
      unlock();
    }
  }

  /** Give back the {@code count} ranges whose starts are in an array from {@code at} on. */
  void freeAll(long[] starts, int at, int count, long size) {
    lock();
    try {
      for (int index = at; index < at + count; index++) {
        giveBack(starts[index], size);
      }
    } finally {
      unlock();
    }
  }

  private void giveBack(long start, long size) {
    tree.free(start, start + size);
    takenRanges--;
    takenGranules -= size;
  }

  /** Occupy a free range without counting it as taken. */
  boolean tryOccupy(long from, long to) {
    lock();
    try {
      if (!tree.isFree(from, to)) {
        return false;
      }
      tree.occupy(from, to);
      return true;
    } finally {
      unlock();
    }
  }

  /** Undo {@link #tryOccupy}. */
  void vacate(long from, long to) {
    lock();
    try {
      tree.free(from, to);
    } finally {
      unlock();
    }
  }

  /** Count the ranges that are live or cached. */
  long takenRanges() {
    lock();
    try {
      return takenRanges;
    } finally {
      unlock();
    }
  }

  /** Count the granules that are live or cached, with their rounding. */
  long takenGranules() {
    lock();
    try {
      return takenGranules;
    } finally {
      unlock();
    }
  }
}
