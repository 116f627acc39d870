package io.twostep.dma;

import java.util.Random;

/** Seeds of random histories: {@code -Dtwostep.seed=} repeats one; a failure names its own. */
final class Seeds {
  private Seeds() {}

  interface History {
    void run(Random random);
  }

  static void run(long seed, History history) {
    long used = Long.getLong("twostep.seed", seed);
    try {
      history.run(new Random(used));
    } catch (AssertionError | RuntimeException e) {
      throw new AssertionError("repeat with -Dtwostep.seed=" + used + ": " + e, e);
    }
  }
}
