package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Serve one group of threads: two magazines per size class, and the count of what was allocated here.
 *
 * <p>Every method needs the lock of the stripe.
 */
final class CacheStripe extends SpinLock {
  private static final int PADDING = 16;
  private static final int MOST_AT_ONCE = 32;

  private final SharedFreeTree tree;
  private final MagazineDepot[] depots;
  private final @Nullable Magazine[] magazines = new Magazine[2 * (PADDING + RangeSize.CACHED_CLASSES)];
  private final int[] misses = new int[RangeSize.CACHED_CLASSES];
  private final long[] batch = new long[MOST_AT_ONCE];
  private long allocations;

  CacheStripe(SharedFreeTree tree, MagazineDepot[] depots) {
    this.tree = tree;
    this.depots = depots;
  }

  /** Take a range of a class that starts at or below {@code highestStart}, from here, the depot or the tree. */
  long take(int sizeClass, long highestStart) {
    int loaded = PADDING + 2 * sizeClass;
    Magazine first = magazines[loaded];
    if (first == null) {
      return takeFromTree(sizeClass, highestStart);
    }
    long start = first.pop(highestStart);
    return start != Magazine.NONE ? start : takeFurther(sizeClass, highestStart);
  }

  private long takeFurther(int sizeClass, long highestStart) {
    int loaded = PADDING + 2 * sizeClass;
    Magazine first = magazine(loaded);
    Magazine second = magazine(loaded + 1);
    long start = second.pop(highestStart);
    if (start == Magazine.NONE && first.isEmpty() && second.isEmpty()) {
      second = depots[sizeClass].tradeEmpty(second);
      magazines[loaded + 1] = second;
      start = second.pop(highestStart);
    }
    if (start == Magazine.NONE) {
      return takeFromTree(sizeClass, highestStart);
    }
    if (first.isEmpty()) {
      magazines[loaded] = second;
      magazines[loaded + 1] = first;
    }
    return start;
  }

  /** Ask the tree; a class that keeps missing gets the rest of the leaf as well, twice as much each time. */
  private long takeFromTree(int sizeClass, long highestStart) {
    long size = RangeSize.ofClass(sizeClass);
    if (size > RangeSize.SMALL_LIMIT) {
      return tree.take(size, RangeSize.order(size), highestStart);
    }
    int most = Math.min(MOST_AT_ONCE, 1 << Math.max(0, misses[sizeClass] - 2));
    int taken = tree.takeSome(sizeClass, highestStart, batch, most);
    if (taken == 0) {
      return FreeTree.NONE;
    }
    misses[sizeClass] = Math.min(misses[sizeClass] + 1, Integer.SIZE / 4);
    if (taken > 1) {
      Magazine first = magazine(PADDING + 2 * sizeClass);
      while (taken > 1 && !first.isFull()) {
        first.push(batch[--taken]);
      }
      while (taken > 1) {
        tree.free(batch[--taken], size);
      }
    }
    return batch[0];
  }

  /** Keep a range that came back. */
  void give(int sizeClass, long start) {
    int loaded = PADDING + 2 * sizeClass;
    Magazine first = magazine(loaded);
    if (first.isFull()) {
      Magazine second = magazine(loaded + 1);
      magazines[loaded + 1] = first;
      first = second.isFull() ? depots[sizeClass].tradeFull(second) : second;
      magazines[loaded] = first;
    }
    first.push(start);
  }

  /** Give every range held here back to the tree. */
  void drain() {
    for (int sizeClass = 0; sizeClass < RangeSize.CACHED_CLASSES; sizeClass++) {
      misses[sizeClass] = 0;
      for (int slot = 0; slot < 2; slot++) {
        Magazine magazine = magazines[PADDING + 2 * sizeClass + slot];
        if (magazine != null) {
          tree.freeAll(magazine, RangeSize.ofClass(sizeClass));
        }
      }
    }
  }

  private Magazine magazine(int slot) {
    Magazine magazine = magazines[slot];
    if (magazine == null) {
      magazine = new Magazine();
      magazines[slot] = magazine;
    }
    return magazine;
  }

  void countAllocation() {
    allocations++;
  }

  long allocations() {
    return allocations;
  }

  /** Count the ranges of one class that are held here. */
  int cachedRanges(int sizeClass) {
    return count(magazines[PADDING + 2 * sizeClass]) + count(magazines[PADDING + 2 * sizeClass + 1]);
  }

  private static int count(@Nullable Magazine magazine) {
    return magazine == null ? 0 : magazine.count();
  }
}
