package io.twostep.backend.swiotlb;

import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** Give every random history a seed that a failure names and {@code -Dtwostep.seed=} repeats. */
public final class Seeds {
  private Seeds() {}

  public static long next() {
    Long given = Long.getLong("twostep.seed");
    return given != null ? given : System.nanoTime();
  }

  public static RandomGenerator random(long seed) {
    return RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
  }
}
