package io.twostep.backend.iommu.iova;

/**
 * Allocate ranges of I/O virtual addresses: from the top down, aligned to their size, never IOVA 0.
 *
 * <p>Sizes are in granules. Up to 32 granules a range occupies the next power of two, above that the next quarter of a
 * power of two; the natural alignment is the power of two that is not below the size. Sizes up to 512 granules are kept
 * in caches when they come back, and of larger ones the last that threads gave back; a user that asks for the same again and again has
 * a {@link KeptRange} of its own. When the space runs out, all of these are emptied before an allocation fails.
 *
 * <p>Thread-safe. No heap memory per call once the caches and the tree have reached their size.
 */
public final class IovaAllocator {
  /** What an allocation returns when there is no room: all ones, which no granule begins at. */
  public static final long NO_IOVA = -1L;

  /** The largest range, in granules, that caches hold in any number: of what is larger, the tree finds all but the one that was given back last. */
  public static final long CACHED_GRANULES = RangeSize.CACHED_LIMIT;

  private static final int DRAIN_ATTEMPTS = 3;

  private final IovaSpace space;
  private final int granuleShift;
  private final long granuleMask;
  private final long endGranule;
  private final SharedFreeTree tree;
  private final RangeCache cache;
  private final KeptRanges kept;
  private final LiveRanges live;
  private final ReservedRanges reserved;

  /**
   * Create an allocator whose whole aperture is free.
   *
   * @param stripes how many threads it should serve without waiting, rounded up to a power of two; four times the number
   *     of processors is good
   */
  public IovaAllocator(IovaSpace space, int stripes) {
    this.space = space;
    granuleShift = space.granuleShift();
    granuleMask = space.granuleBytes() - 1;
    endGranule = space.endGranule();
    FreeTree free = new FreeTree(endGranule);
    free.free(space.firstGranule(), endGranule);
    tree = new SharedFreeTree(free);
    cache = new RangeCache(tree, endGranule, space.name(), stripes);
    kept = new KeptRanges(tree);
    live = new LiveRanges();
    reserved = new ReservedRanges();
  }

  /** Allocate with natural alignment anywhere up to {@code highestIova}; see the full form. */
  public long allocate(long granules, long highestIova) {
    return allocate(granules, 1, highestIova, highestIova);
  }

  /**
   * Allocate a range.
   *
   * @param granules its size, at least 1
   * @param alignmentGranules a power of two; what is below the natural alignment has no effect
   * @param preferredIova the last address to try first, such as 2^32-1: a range above it is returned only when there is
   *     no room below
   * @param highestIova the last address that any byte of the range may have, unsigned and included
   * @return the IOVA of the range, or {@link #NO_IOVA}
   * @throws IllegalArgumentException when the size or the alignment is not legal
   */
  public long allocate(long granules, long alignmentGranules, long preferredIova, long highestIova) {
    int order = RangeSize.order(granules);
    // Nearly every request ends here; what follows is kept out of line, for this to be compiled into its callers.
    if (order <= RangeSize.SMALL_ORDER && alignmentGranules == 1) {
      long first = Long.compareUnsigned(preferredIova, highestIova) < 0 ? preferredIova : highestIova;
      long start = cache.tryTake(order, endGranule(first) - (1L << order));
      if (start != FreeTree.NONE) {
        live.mark(start, granules, order);
        return start << granuleShift;
      }
    }
    return allocateElsewhere(granules, alignmentGranules, preferredIova, highestIova);
  }

  /** Return what keeps a range for one user of this allocator, who {@linkplain #forget forgets} it in the end. */
  public KeptRange newKeptRange() {
    return kept.add();
  }

  /**
   * Allocate a range for a user, as {@link #allocate(long, long, long, long)} does: the one that it keeps, if that will do; one that will not goes back.
   */
  public long allocate(KeptRange own, long granules, long alignmentGranules, long preferredIova, long highestIova) {
    long word = own.word;
    if (word != 0) {
      int order = RangeSize.order(granules);
      long first = Long.compareUnsigned(preferredIova, highestIova) < 0 ? preferredIova : highestIova;
      long start = KeptRange.start(word);
      if (KeptRange.granules(word) == granules
          && alignmentGranules <= 1L << order
          && start <= endGranule(first) - RangeSize.roundUp(granules)
          && own.tryTake(word)) {
        live.mark(start, granules, order);
        return start << granuleShift;
      }
      giveBack(own);
    }
    return allocate(granules, alignmentGranules, preferredIova, highestIova);
  }

  /** Put a range that its user cannot use into the caches, for anybody. */
  private void giveBack(KeptRange own) {
    long word = own.takeAway();
    if (word != 0) {
      long granules = KeptRange.granules(word);
      give(KeptRange.start(word), granules, RangeSize.order(granules));
    }
  }

  /** Allocate what this thread's stripe does not hold. */
  private long allocateElsewhere(long granules, long alignmentGranules, long preferredIova, long highestIova) {
    if (granules < 1 || Long.bitCount(alignmentGranules) != 1 || alignmentGranules < 1) {
      throw badRequest(granules, alignmentGranules);
    }
    if (granules > endGranule) {
      return NO_IOVA;
    }
    int order = RangeSize.order(granules);
    long start = FreeTree.NONE;
    if (Long.compareUnsigned(preferredIova, highestIova) < 0) {
      start = take(granules, order, alignmentGranules, endGranule(preferredIova));
    }
    if (start == FreeTree.NONE) {
      start = take(granules, order, alignmentGranules, endGranule(highestIova));
    }
    if (start == FreeTree.NONE) {
      start = takeDraining(granules, order, alignmentGranules, endGranule(highestIova));
    }
    if (start == FreeTree.NONE) {
      return NO_IOVA;
    }
    live.mark(start, granules, order);
    return start << granuleShift;
  }

  /** Compute the granule behind the last one that ends at or below an address. */
  private long endGranule(long lastIova) {
    return (lastIova >>> granuleShift) + (((lastIova & granuleMask) + 1) >>> granuleShift);
  }

  private long take(long granules, int order, long alignmentGranules, long end) {
    if (granules <= RangeSize.CACHED_LIMIT && alignmentGranules <= 1L << order) {
      return granules <= RangeSize.SMALL_LIMIT
          ? cache.take(order, end - (1L << order))
          : cache.take(RangeSize.classOf(granules), end - RangeSize.roundUp(granules));
    }
    long size = RangeSize.roundUp(granules);
    return cache.takeLarge(size, Math.max(order, Long.numberOfTrailingZeros(alignmentGranules)), end - size);
  }

  /** Empty the caches and try again; others may fill them meanwhile, so look more than once. */
  private long takeDraining(long granules, int order, long alignmentGranules, long end) {
    long start = FreeTree.NONE;
    for (int attempt = 0; attempt < DRAIN_ATTEMPTS && start == FreeTree.NONE; attempt++) {
      boolean last = statistics().cachedRanges() == 0;
      drainCaches();
      start = take(granules, order, alignmentGranules, end);
      if (last) {
        // What another thread drained since the last look is in the tree now.
        break;
      }
    }
    return start;
  }

  /**
   * Free exactly one allocated range.
   *
   * @param iova what the allocation returned
   * @param granules what the allocation was asked for
   * @throws IllegalArgumentException when no live range begins there or it has another size; nothing has changed
   */
  public void free(long iova, long granules) {
    long start = iova >>> granuleShift;
    int order = RangeSize.order(granules);
    if ((iova & granuleMask) != 0 || !live.tryClear(start, granules, order)) {
      throw badFree(iova, granules);
    }
    give(start, granules, order);
  }

  /**
   * Free a range as {@link #free} does, but keep it for the user that {@linkplain KeptRange#expect expects} it.
   *
   * @param place of the user's {@link KeptRange}
   * @param granules at most {@link #CACHED_GRANULES}
   * @throws IllegalArgumentException as {@link #free} does; the user expects nothing any more
   */
  public void keep(int place, long iova, long granules) {
    long start = iova >>> granuleShift;
    int order = RangeSize.order(granules);
    KeptRange user = kept.at(place);
    try {
      if ((iova & granuleMask) != 0 || !live.tryClearOwned(start, granules, order)) {
        throw badFree(iova, granules);
      }
      if (!user.tryKeep(start, granules)) {
        give(start, granules, order);
      }
    } finally {
      // Also where refused: who waits for ever keeps nothing any more, and its place is never free again.
      user.arrived();
    }
  }

  /** Free what a user keeps, for whoever asks the tree: other than the caches it is no thread's. */
  public void giveUp(KeptRange user) {
    kept.free(user);
  }

  /** Take back what a user keeps, who will not ask for it again. */
  public void forget(KeptRange gone) {
    kept.forget(gone);
  }

  private void give(long start, long granules, int order) {
    if (order <= RangeSize.SMALL_ORDER) {
      cache.give(order, start);
    } else {
      giveLarger(start, granules);
    }
  }

  private void giveLarger(long start, long granules) {
    if (granules <= RangeSize.CACHED_LIMIT) {
      cache.give(RangeSize.classOf(granules), start);
    } else {
      cache.giveLarge(RangeSize.roundUp(granules), start);
    }
  }

  /**
   * Keep a range from ever being handed out; what is already reserved or lies outside the aperture is fine.
   *
   * @param firstIova the first address; the whole granule around it is reserved
   * @param lastIova the last address, included; the whole granule around it is reserved
   * @return whether it is reserved now; false, with nothing changed, when a part of it is handed out
   */
  public boolean tryReserve(long firstIova, long lastIova) {
    if (Long.compareUnsigned(firstIova, lastIova) > 0) {
      throw new IllegalArgumentException(
          "%s: reserved range 0x%x-0x%x must not end before it begins".formatted(space.name(), firstIova, lastIova));
    }
    long from = Math.max(firstIova >>> granuleShift, space.firstGranule());
    long to = Math.min((lastIova >>> granuleShift) + 1, endGranule);
    if (from >= to) {
      return true;
    }
    if (reserved.tryReserve(tree, from, to)) {
      return true;
    }
    drainCaches();
    return reserved.tryReserve(tree, from, to);
  }

  /** Give everything in the caches back to the tree. */
  public void drainCaches() {
    kept.drain();
    cache.drain();
  }

  /** Count what is live and what is cached. */
  public IovaStatistics statistics() {
    long cachedRanges = cache.cachedLargeRanges() + kept.ranges();
    long cachedGranules = cache.cachedLargeGranules() + kept.granules();
    for (int sizeClass = 0; sizeClass < RangeSize.CACHED_CLASSES; sizeClass++) {
      long ranges = cache.cachedRanges(sizeClass);
      cachedRanges += ranges;
      cachedGranules += ranges * RangeSize.ofClass(sizeClass);
    }
    return new IovaStatistics(
        cache.allocations() + kept.taken(),
        tree.takenRanges() - cachedRanges,
        tree.takenGranules() - cachedGranules,
        cachedRanges,
        cachedGranules);
  }

  /** Visit every live range by address, for a report of leaks; exact at rest only. */
  public void forEachLive(LiveRangeVisitor visitor) {
    live.forEach((start, granules) -> visitor.visit(start << granuleShift, granules));
  }

  private IllegalArgumentException badRequest(long granules, long alignmentGranules) {
    return new IllegalArgumentException(
        "%s: cannot allocate %d granules aligned to %d: the size must be positive, the alignment a power of two"
            .formatted(space.name(), granules, alignmentGranules));
  }

  private IllegalArgumentException badFree(long iova, long granules) {
    long start = iova >>> granuleShift;
    long size = start << granuleShift == iova ? live.sizeAt(start) : 0;
    return new IllegalArgumentException(
        "%s: cannot free %d granules at IOVA 0x%x: %s"
            .formatted(
                space.name(),
                granules,
                iova,
                size == 0
                    ? "no live range begins there; free each range once, at the address its allocation returned"
                    : "the range there was allocated with " + size + " granules; free what was allocated"));
  }
}
