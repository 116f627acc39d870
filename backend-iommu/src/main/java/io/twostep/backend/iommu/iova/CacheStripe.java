package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Serve one group of threads: a stack of range starts per size class, newest first out, and the count of what was
 * allocated here.
 *
 * <p>All stacks lie in one array, their heights beside each other, so that a call touches few cache lines. It comes into
 * being with the first call, and is padded at both ends against the stripes beside it:
 *
 * <pre>
 *   words  0..15    padding
 *   words 16..37    heights
 *   words 38..59    lower bounds of the starts held
 *   words 60..      stacks of 254 words
 *   the last 16     padding
 * </pre>
 *
 * <p>Every method needs the lock of the stripe.
 */
final class CacheStripe extends SpinLock {
  /** How many ranges of one class are held at most: twice what is traded with the depot at once. */
  static final int CAPACITY = 2 * MagazineDepot.MAGAZINE;

  private static final int PADDING = 16;
  private static final int LOWEST = PADDING + RangeSize.CACHED_CLASSES;
  private static final int STACKS = LOWEST + RangeSize.CACHED_CLASSES;
  private static final int WORDS = STACKS + RangeSize.CACHED_CLASSES * CAPACITY + PADDING;
  private static final int MOST_AT_ONCE = 32;

  private final SharedFreeTree tree;
  private final MagazineDepot[] depots;
  private final int[] misses = new int[RangeSize.CACHED_CLASSES];
  private final long[] batch = new long[MOST_AT_ONCE];
  private long @Nullable [] words;
  private long allocations;

  CacheStripe(SharedFreeTree tree, MagazineDepot[] depots) {
    this.tree = tree;
    this.depots = depots;
  }

  /** Take a range of a class that starts at or below {@code highestStart}, from here, the depot or the tree. */
  long take(int sizeClass, long highestStart) {
    long[] held = words;
    if (held != null) {
      int height = (int) held[PADDING + sizeClass];
      if (height > 0) {
        long newest = held[bottom(sizeClass) + height - 1];
        if (newest <= highestStart) {
          held[PADDING + sizeClass] = height - 1L;
          return newest;
        }
      }
    }
    return takeFurther(sizeClass, highestStart);
  }

  private long takeFurther(int sizeClass, long highestStart) {
    long[] held = words();
    if (held[PADDING + sizeClass] == 0 && depots[sizeClass].tryTake(held, bottom(sizeClass))) {
      held[PADDING + sizeClass] = MagazineDepot.MAGAZINE;
      held[LOWEST + sizeClass] = lowest(held, bottom(sizeClass), MagazineDepot.MAGAZINE);
    }
    long start = takeFiltered(held, sizeClass, highestStart);
    return start != FreeTree.NONE ? start : takeFromTree(sizeClass, highestStart);
  }

  /** Take the newest that fits; the lower bound saves the search where nothing does. */
  private static long takeFiltered(long[] held, int sizeClass, long highestStart) {
    if (held[LOWEST + sizeClass] <= highestStart) {
      int bottom = bottom(sizeClass);
      int last = bottom + (int) held[PADDING + sizeClass] - 1;
      for (int index = last; index >= bottom; index--) {
        long start = held[index];
        if (start <= highestStart) {
          held[index] = held[last];
          held[PADDING + sizeClass]--;
          return start;
        }
      }
    }
    return FreeTree.NONE;
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
    while (taken > 1) {
      give(sizeClass, batch[--taken]);
    }
    return batch[0];
  }

  /** Keep a range that came back. */
  void give(int sizeClass, long start) {
    long[] held = words;
    if (held == null || held[PADDING + sizeClass] == CAPACITY) {
      held = makeRoom(sizeClass);
    }
    int height = (int) held[PADDING + sizeClass];
    if (height == 0 || start < held[LOWEST + sizeClass]) {
      held[LOWEST + sizeClass] = start;
    }
    held[bottom(sizeClass) + height] = start;
    held[PADDING + sizeClass] = height + 1L;
  }

  /** Give the older half of a full stack to the depot. */
  private long[] makeRoom(int sizeClass) {
    long[] held = words();
    if (held[PADDING + sizeClass] == CAPACITY) {
      int bottom = bottom(sizeClass);
      depots[sizeClass].give(held, bottom);
      System.arraycopy(held, bottom + MagazineDepot.MAGAZINE, held, bottom, MagazineDepot.MAGAZINE);
      held[PADDING + sizeClass] = MagazineDepot.MAGAZINE;
      held[LOWEST + sizeClass] = lowest(held, bottom, MagazineDepot.MAGAZINE);
    }
    return held;
  }

  private static long lowest(long[] held, int from, int count) {
    long lowest = held[from];
    for (int index = from + 1; index < from + count; index++) {
      lowest = Math.min(lowest, held[index]);
    }
    return lowest;
  }

  /** Give every range held here back to the tree. */
  void drain() {
    for (int sizeClass = 0; sizeClass < RangeSize.CACHED_CLASSES; sizeClass++) {
      misses[sizeClass] = 0;
      long[] held = words;
      if (held != null) {
        tree.freeAll(held, bottom(sizeClass), (int) held[PADDING + sizeClass], RangeSize.ofClass(sizeClass));
        held[PADDING + sizeClass] = 0;
      }
    }
  }

  void countAllocation() {
    allocations++;
  }

  long allocations() {
    return allocations;
  }

  /** Count the ranges of one class that are held here. */
  int cachedRanges(int sizeClass) {
    long[] held = words;
    return held == null ? 0 : (int) held[PADDING + sizeClass];
  }

  private long[] words() {
    long[] held = words;
    if (held == null) {
      held = new long[WORDS];
      words = held;
    }
    return held;
  }

  private static int bottom(int sizeClass) {
    return STACKS + sizeClass * CAPACITY;
  }
}
