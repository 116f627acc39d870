package io.twostep.tck;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.LongSupplier;

/** Measures heap bytes that the current thread allocates. */
public final class Allocation {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final int WARM_UP = 4_000;

  /** Rounds at most until one allocates nothing: the compiler, which removes the last objects, has a thread of its own and may come late. */
  private static final int MOST_ROUNDS = 100;

  private static final int RUNS = 500;

  private Allocation() {}

  /** Return the heap bytes that the current thread has allocated so far. */
  public static long allocatedBytes() {
    return THREADS.getCurrentThreadAllocatedBytes();
  }

  /** Return the fewest bytes that one of several warm rounds of {@code work} allocates. */
  public static long leastBytesOf(Runnable work) {
    return leastBytesOf(work, () -> 0);
  }

  /** Return the bytes that one round of {@code work} allocates, warm or not. */
  static long bytesOf(Runnable work) {
    long before = allocatedBytes();
    for (int i = 0; i < RUNS; i++) {
      work.run();
    }
    return allocatedBytes() - before;
  }

  /** Return the fewest bytes that one of several warm rounds of {@code work} allocates, without those that {@code excluded} counts. */
  static long leastBytesOf(Runnable work, LongSupplier excluded) {
    for (int i = 0; i < WARM_UP; i++) {
      work.run();
    }
    long least = Long.MAX_VALUE;
    for (int round = 0; round < MOST_ROUNDS && least != 0; round++) {
      long before = allocatedBytes() - excluded.getAsLong();
      for (int i = 0; i < RUNS; i++) {
        work.run();
      }
      least = Math.min(least, allocatedBytes() - excluded.getAsLong() - before);
    }
    return least;
  }
}
