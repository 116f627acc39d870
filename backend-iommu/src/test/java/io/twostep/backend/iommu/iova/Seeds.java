package io.twostep.backend.iommu.iova;

import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** Give every random history a seed that a failure names and {@code -Dtwostep.seed=} repeats. */
final class Seeds {
  private Seeds() {}

  static long next() {
    Long given = Long.getLong("twostep.seed");
    return given != null ? given : System.nanoTime();
  }

  static RandomGenerator random(long seed) {
    return RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
  }
}
