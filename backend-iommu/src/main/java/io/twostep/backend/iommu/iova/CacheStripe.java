package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.Nullable;

/**
 * Serve one group of threads: a stack of range starts per size class, newest first out, one range of a size that has no
 * class, and the count of what was allocated here.
 *
 * <p>All stacks lie in one array, each in a block that begins with its own state, so that a call touches two cache lines.
 * The array comes into being with the first call, and is padded at both ends against the stripes beside it:
 *
 * <pre>
 *   words 0..15     padding
 *   words 16..      for each class a block of 264 words:
 *     word  0         the index behind the newest start
 *     word  1         a lower bound of the starts held
 *     words 2..255    the starts, oldest first
 *   the last 16     padding
 * </pre>
 *
 * <p>Every method needs the lock of the stripe.
 */
final class CacheStripe extends SpinLock {
  /** How many ranges of one class are held at most: twice what is traded with the depot at once. */
  static final int CAPACITY = 2 * MagazineDepot.MAGAZINE;

  private static final int PADDING = 16;
  private static final int LOWEST = 1;
  private static final int STARTS = 2;
  /** A whole odd number of cache lines, lest the states of all classes compete for the same sets of a cache. */
  private static final int BLOCK = 264;

  private static final int WORDS = 2 * PADDING + RangeSize.CACHED_CLASSES * BLOCK;
  private static final int MOST_AT_ONCE = 32;

  private final SharedFreeTree tree;
  private final MagazineDepot[] depots;
  private final int[] misses = new int[RangeSize.CACHED_CLASSES];
  private final long[] batch = new long[1 << Leaf.ORDER];
  private long @Nullable [] words;

  /** Granules of the one large range held, 0 if none is. */
  private long largeSize;

  private long largeStart;
  private long allocations;

  CacheStripe(SharedFreeTree tree, MagazineDepot[] depots) {
    this.tree = tree;
    this.depots = depots;
  }

  /** Take the newest range of a class if it starts at or below {@code highestStart}. */
  long tryTake(int sizeClass, long highestStart) {
    long[] held = words;
    if (held != null) {
      int block = block(sizeClass);
      int newest = (int) held[block] - 1;
      if (newest >= block + STARTS) {
        long start = held[newest];
        if (start <= highestStart) {
          held[block] = newest;
          allocations++;
          return start;
        }
      }
    }
    return FreeTree.NONE;
  }

  /** Take a range of a class that starts at or below {@code highestStart}, from here, the depot or the tree. */
  long take(int sizeClass, long highestStart) {
    long start = takeHeld(words(), block(sizeClass), sizeClass, highestStart);
    if (start == FreeTree.NONE) {
      start = takeFromTree(sizeClass, highestStart);
    }
    if (start != FreeTree.NONE) {
      allocations++;
    }
    return start;
  }

  /** Take the newest that fits; the lower bound saves the search where nothing does. */
  private long takeHeld(long[] held, int block, int sizeClass, long highestStart) {
    int bottom = block + STARTS;
    if (held[block] == bottom && depots[sizeClass].tryTake(held, bottom)) {
      setHeight(held, block, MagazineDepot.MAGAZINE);
    }
    if (held[block + LOWEST] > highestStart) {
      return FreeTree.NONE;
    }
    int newest = (int) held[block] - 1;
    for (int index = newest; index >= bottom; index--) {
      long start = held[index];
      if (start <= highestStart) {
        held[index] = held[newest];
        held[block] = newest;
        return start;
      }
    }
    setHeight(held, block, newest + 1 - bottom);
    return FreeTree.NONE;
  }

  /** Ask the tree; a class that keeps missing gets more of the leaf as well, twice as much each time, and all of it where threads take turns. */
  private long takeFromTree(int sizeClass, long highestStart) {
    long size = RangeSize.ofClass(sizeClass);
    if (size > RangeSize.SMALL_LIMIT) {
      return tree.take(size, RangeSize.order(size), highestStart);
    }
    int most = Math.min(MOST_AT_ONCE, 1 << Math.max(0, misses[sizeClass] - 2));
    int taken = tree.takeSome(this, sizeClass, highestStart, batch, most);
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
    int block = block(sizeClass);
    if (held == null || held[block] == block + STARTS + CAPACITY) {
      held = makeRoom(sizeClass);
    }
    if (start < held[block + LOWEST]) {
      held[block + LOWEST] = start;
    }
    int next = (int) held[block];
    held[next] = start;
    held[block] = next + 1L;
  }

  /** Give the older half of a full stack to the depot. */
  private long[] makeRoom(int sizeClass) {
    long[] held = words();
    int block = block(sizeClass);
    int bottom = block + STARTS;
    if (held[block] == bottom + CAPACITY) {
      depots[sizeClass].give(held, bottom);
      System.arraycopy(held, bottom + MagazineDepot.MAGAZINE, held, bottom, MagazineDepot.MAGAZINE);
      setHeight(held, block, MagazineDepot.MAGAZINE);
    }
    return held;
  }

  /** Say how many starts a block holds, and look which is the lowest. */
  private static void setHeight(long[] held, int block, int height) {
    int bottom = block + STARTS;
    long lowest = Long.MAX_VALUE;
    for (int index = bottom; index < bottom + height; index++) {
      lowest = Math.min(lowest, held[index]);
    }
    held[block] = (long) bottom + height;
    held[block + LOWEST] = lowest;
  }

  /** Take a large range of just this rounded size, or 2^alignOrder aligned where that is more, from here or the tree. */
  long takeLarge(long size, int alignOrder, long highestStart) {
    long start = largeStart;
    if (largeSize == size && start <= highestStart && (start & (1L << alignOrder) - 1) == 0) {
      largeSize = 0;
    } else {
      start = tree.take(size, alignOrder, highestStart);
    }
    if (start != FreeTree.NONE) {
      allocations++;
    }
    return start;
  }

  /** Keep a large range that came back in the place of the one held: who has used it will ask for its like again. */
  void giveLarge(long size, long start) {
    giveBackLarge();
    largeSize = size;
    largeStart = start;
  }

  private void giveBackLarge() {
    if (largeSize != 0) {
      tree.free(largeStart, largeSize);
      largeSize = 0;
    }
  }

  /** Give every range held here back to the tree. */
  void drain() {
    giveBackLarge();
    for (int sizeClass = 0; sizeClass < RangeSize.CACHED_CLASSES; sizeClass++) {
      misses[sizeClass] = 0;
      long[] held = words;
      if (held != null) {
        int block = block(sizeClass);
        tree.freeAll(held, block + STARTS, cachedRanges(sizeClass), RangeSize.ofClass(sizeClass));
        setHeight(held, block, 0);
      }
    }
  }

  long allocations() {
    return allocations;
  }

  /** Tell the granules of the large range that is held here; 0 if none is. */
  long cachedLarge() {
    return largeSize;
  }

  /** Count the ranges of one class that are held here. */
  int cachedRanges(int sizeClass) {
    long[] held = words;
    int block = block(sizeClass);
    return held == null ? 0 : (int) held[block] - (block + STARTS);
  }

  private long[] words() {
    long[] held = words;
    if (held == null) {
      held = new long[WORDS];
      for (int sizeClass = 0; sizeClass < RangeSize.CACHED_CLASSES; sizeClass++) {
        setHeight(held, block(sizeClass), 0);
      }
      words = held;
    }
    return held;
  }

  private static int block(int sizeClass) {
    return PADDING + sizeClass * BLOCK;
  }
}
