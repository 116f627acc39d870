package io.twostep.backend.iommu.iova;

/**
 * Share one free tree between threads: a lock around every call, and counts of what the tree gave away.
 *
 * <p>Last in the order of locks: nothing is called from inside.
 */
final class SharedFreeTree extends SpinLock {
  private final FreeTree tree;
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

  int takeSome(int order, long highestStart, long[] starts, int most) {
    lock();
    try {
      int taken = tree.takeSome(order, highestStart, starts, most);
      takenRanges += taken;
      takenGranules += (long) taken << order;
      return taken;
    } finally {
      unlock();
    }
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
