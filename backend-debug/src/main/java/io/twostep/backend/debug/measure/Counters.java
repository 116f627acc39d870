package io.twostep.backend.debug.measure;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** Counters of one device, striped so that threads seldom meet; adding allocates nothing. */
final class Counters {
  static final int MAP = 0;
  static final int RESERVE = 1;
  static final int LINK = 2;
  static final int PUBLISH = 3;
  static final int SYNC = 4;
  static final int TEARDOWN = 5;
  static final int RANGES = 6;
  static final int BYTES = 7;
  static final int BOUNCED = 8;
  static final int FAILURES = 9;
  static final int UNLINK = 10;

  private static final int STRIPES = 8;

  /** Two cache lines, for processors that fetch lines in pairs. */
  private static final int STRIDE = 16;

  private static final VarHandle CELLS = MethodHandles.arrayElementVarHandle(long[].class);

  private final long[] cells = new long[(STRIPES + 1) * STRIDE];

  /** Add, and return what the calling thread's stripe was before. Opaque would lose counts of threads that share a stripe. */
  long add(int counter, long value) {
    int stripe = (int) Thread.currentThread().threadId() & STRIPES - 1;
    return (long) CELLS.getAndAddRelease(cells, (stripe + 1) * STRIDE + counter, value);
  }

  /** Return the sum, not of one moment while others count. */
  long sum(int counter) {
    long sum = 0;
    for (int stripe = 1; stripe <= STRIPES; stripe++) {
      sum += (long) CELLS.getAcquire(cells, stripe * STRIDE + counter);
    }
    return sum;
  }

  void addAll(Counters other) {
    for (int counter = 0; counter < STRIDE; counter++) {
      add(counter, other.sum(counter));
    }
  }
}
