package io.twostep.benchmarks.machine;

/**
 * Counts for threads that must not wait for each other: each has a place of its own, two cache lines from the next.
 *
 * <p>Exact for up to 64 threads that were started one after the other, once they are done; threads that share a place lose counts, never more.
 */
final class SpreadCounter {
  private static final int PLACES = 64;

  /** Longs from place to place: 128 bytes, because processors fetch pairs of cache lines. */
  private static final int STRIDE = 16;

  private final long[] counts = new long[(PLACES + 1) * STRIDE];

  void increment() {
    counts[(((int) Thread.currentThread().threadId() & PLACES - 1) + 1) * STRIDE]++;
  }

  long sum() {
    long sum = 0;
    for (long count : counts) {
      sum += count;
    }
    return sum;
  }
}
