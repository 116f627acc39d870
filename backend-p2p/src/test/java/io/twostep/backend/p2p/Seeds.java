package io.twostep.backend.p2p;

import java.util.Random;
import java.util.function.Consumer;

/** Seeds of random histories: {@code -Dtwostep.seed=} repeats one; a failure names its own. */
final class Seeds {
  private Seeds() {}

  static void run(long seed, Consumer<Random> history) {
    long used = Long.getLong("twostep.seed", seed);
    try {
      history.accept(new Random(used));
    } catch (AssertionError | RuntimeException e) {
      throw new AssertionError("repeat with -Dtwostep.seed=" + used + ": " + e, e);
    }
  }
}
