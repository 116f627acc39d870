package io.twostep.device.nvme;

import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** One seed per run, printed by failures; {@code -Dtwostep.seed=} repeats it. */
public final class Seeds {
  public static final long SEED = Long.getLong("twostep.seed", System.nanoTime());

  private Seeds() {}

  public static RandomGenerator random() {
    return RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);
  }

  /** Describe where a random history stands, for {@code as(...)}. */
  public static String at(int round) {
    return "round " + round + " of -Dtwostep.seed=" + SEED;
  }
}
