package io.twostep.benchmarks.flow;

/** Draws numbers at the cost of two multiplications: a linear congruence modulo 2^64 whose upper half is used. */
final class Draw {
  private long state;

  Draw(long seed) {
    state = seed;
  }

  /** Return a number from 0 to {@code bound} - 1. */
  int below(int bound) {
    state = state * 6364136223846793005L + 1442695040888963407L;
    return (int) (((state >>> 32) * bound) >>> 32);
  }
}
