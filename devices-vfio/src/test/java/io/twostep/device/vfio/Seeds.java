package io.twostep.device.vfio;

import java.util.SplittableRandom;

/** Where random tests get their seed: {@code -Dtwostep.seed=} repeats a run. */
public final class Seeds {
  /** The seed of this run; printed by failing tests. */
  public static final long SEED = Long.getLong("twostep.seed", new SplittableRandom().nextLong());

  private Seeds() {}

  /** Return the words that repeat a run of this seed. */
  public static String repeat(long seed) {
    return "repeat with -Dtwostep.seed=" + seed;
  }
}
