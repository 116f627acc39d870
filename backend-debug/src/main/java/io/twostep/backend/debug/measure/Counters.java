package io.twostep.backend.debug.measure;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Counters of one device; adding allocates nothing and seldom needs an atomic.
 *
 * <p>The first thread that meets a stripe owns it and adds to it without a lock; threads that find their stripe owned by another share one stripe, by atomic adds. Every count is exact.
 */
final class Counters {
  static final int MAP = 1;
  static final int RESERVE = 2;
  static final int LINK = 3;
  static final int PUBLISH = 4;
  static final int SYNC = 5;
  static final int TEARDOWN = 6;
  static final int RANGES = 7;
  static final int BYTES = 8;
  static final int BOUNCED = 9;
  static final int FAILURES = 10;
  static final int UNLINK = 11;

  private static final int STRIPES = 16;
  private static final int SHARED = 0;

  /** Two cache lines, for processors that fetch lines in pairs; the first word of a stripe is its owner's thread id. */
  private static final int STRIDE = 16;

  private static final VarHandle CELLS = MethodHandles.arrayElementVarHandle(long[].class);

  /** The shared stripe comes first. */
  private final long[] cells = new long[(STRIPES + 1) * STRIDE];

  /** Return the stripe that the calling thread adds to, for the length of a call. */
  int stripe() {
    long thread = Thread.currentThread().threadId();
    int stripe = (((int) thread & (STRIPES - 1)) + 1) * STRIDE;
    return (long) CELLS.getOpaque(cells, stripe) == thread ? stripe : ownOrShared(thread, stripe);
  }

  private int ownOrShared(long thread, int stripe) {
    return CELLS.compareAndSet(cells, stripe, 0L, thread) ? stripe : SHARED;
  }

  /** Add to the calling thread's {@linkplain #stripe stripe}, and return what it was before. */
  long add(int stripe, int counter, long value) {
    if (stripe == SHARED) {
      return (long) CELLS.getAndAdd(cells, counter, value);
    }
    // Opaque: only the owner writes, and whoever sums needs no order between counters.
    long before = (long) CELLS.getOpaque(cells, stripe + counter);
    CELLS.setOpaque(cells, stripe + counter, before + value);
    return before;
  }

  /** Return the sum, not of one moment while others count. */
  long sum(int counter) {
    long sum = 0;
    for (int stripe = 0; stripe <= STRIPES; stripe++) {
      sum += (long) CELLS.getOpaque(cells, stripe * STRIDE + counter);
    }
    return sum;
  }

  void addAll(Counters other) {
    int stripe = stripe();
    for (int counter = 1; counter < STRIDE; counter++) {
      add(stripe, counter, other.sum(counter));
    }
  }
}
