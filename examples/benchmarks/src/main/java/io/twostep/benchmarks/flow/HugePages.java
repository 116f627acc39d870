package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.BenchMachine;
import java.util.SplittableRandom;

/** Ranges of 2 MiB at random multiples of it. */
final class HugePages {
  static final long LENGTH = 2L << 20;

  private HugePages() {}

  static long[] draw(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    return random.longs(count, 0, BenchMachine.FRAMES * 4096 / LENGTH).map(i -> BenchMachine.FIRST_FRAME + i * LENGTH).toArray();
  }
}
