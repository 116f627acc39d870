package io.twostep.backend.iommu.iova;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The range that one user of an {@link IovaAllocator} gave back last, for its next request of that size.
 *
 * <p>Whoever maps buffers of one size in turn has no need to trade with the caches: a range is taken from here by one compare-and-set and kept by one store, where caches take three of the former. What is kept
 * counts as cached, and goes back when the allocator empties its caches.
 *
 * <p>Belongs to one thread at a time, but for the return of a range, which may come on another thread, and later: {@link #expect} says that one is on its way, and no second one comes here meanwhile.
 */
public final class KeptRange extends KeptRangeFields {
  /** Enough for {@link IovaAllocator#CACHED_GRANULES}; a first granule that has more than the other 54 is not kept. */
  private static final int SIZE_BITS = 10;

  private static final long SIZE_MASK = (1L << SIZE_BITS) - 1;
  private static final VarHandle WORD;
  private static final VarHandle TAKEN;
  private static final VarHandle AWAITED;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      WORD = lookup.findVarHandle(KeptRangeFields.class, "word", long.class);
      TAKEN = lookup.findVarHandle(KeptRangeFields.class, "taken", long.class);
      AWAITED = lookup.findVarHandle(KeptRangeFields.class, "awaited", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /** Collectors move what one array refers to next to each other: this keeps what other threads keep off the pair of cache lines. */
  @SuppressWarnings("unused")
  private long b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14;

  KeptRange(int place) {
    super(place);
  }

  /**
   * Announce the range that the user gives back, so that {@link IovaAllocator#keep} may be called for it, once and by any thread.
   *
   * @return false if an earlier one has not come yet: then this one is freed like any other
   */
  public boolean expect() {
    if ((boolean) AWAITED.getAcquire(this)) {
      return false;
    }
    awaited = true;
    return true;
  }

  /** Return what {@link IovaAllocator#keep} finds this by. */
  public int place() {
    return place;
  }

  static long granules(long word) {
    return word & SIZE_MASK;
  }

  static long start(long word) {
    return word >>> SIZE_BITS;
  }

  /** Take the range that {@code word} was read as, for the user. */
  boolean tryTake(long word) {
    if (!WORD.compareAndSet(this, word, 0L)) {
      return false;
    }
    TAKEN.setOpaque(this, taken + 1);
    return true;
  }

  /** Take whatever is kept away; returns its word, 0 for nothing. */
  long takeAway() {
    return word == 0 ? 0 : (long) WORD.getAndSet(this, 0L);
  }

  /** Keep the range that is awaited; false, with nothing changed, if another is kept. */
  boolean tryKeep(long start, long granules) {
    long kept = start << SIZE_BITS | granules;
    // Nobody but the caller puts a range here, so what is empty stays empty.
    if (word != 0 || start(kept) != start) {
      return false;
    }
    WORD.setRelease(this, kept);
    return true;
  }

  /** Let the next range be expected. */
  void arrived() {
    AWAITED.setRelease(this, false);
  }

  boolean isAwaited() {
    return (boolean) AWAITED.getAcquire(this);
  }

  long taken() {
    return (long) TAKEN.getOpaque(this);
  }
}
