package io.twostep.benchmarks.growth;

import io.twostep.benchmarks.flow.AgeingFlow;
import java.util.Arrays;
import java.util.function.Consumer;

/** One allocator that serves up to 10^9 operations with 100,000 live ranges of mixed sizes; what an operation takes, and what the allocator keeps, at 1, 2, 5, 10 ... of its age. */
final class AgeStudy {
  private static final int LIVE = 100_000;
  private static final long FIRST = 100_000;
  private static final int PARTS = 5;
  private static final int[] STEPS = {1, 2, 5};

  private AgeStudy() {}

  static void run(Scale scale, Consumer<Measured> to) {
    AgeingFlow flow = new AgeingFlow(LIVE);
    long age = 0;
    for (long decade = FIRST; decade <= scale.mostOperations(); decade *= 10) {
      for (int step : STEPS) {
        long until = decade * step;
        if (until > scale.mostOperations()) {
          return;
        }
        double[] nanos = age(flow, until - age);
        age = until;
        to.accept(new Measured(GrowthChart.AGE, "free and allocate", age, nanos[PARTS / 2], nanos[0], nanos[PARTS - 1]));
        kept(to, "ranges in caches", age, flow.statistics().cachedRanges());
        kept(to, "live ranges", age, flow.statistics().liveRanges());
      }
    }
  }

  private static void kept(Consumer<Measured> to, String line, long age, long ranges) {
    if (ranges > 0) {
      to.accept(new Measured(GrowthChart.AGE_CACHES, line, age, ranges, ranges, ranges));
    }
  }

  /** Age an allocator, and return what an operation took in each part of that time, ascending. */
  private static double[] age(AgeingFlow flow, long operations) {
    double[] nanos = new double[PARTS];
    int part = (int) (operations / PARTS);
    for (int i = 0; i < PARTS; i++) {
      long from = System.nanoTime();
      flow.run(part);
      nanos[i] = (double) (System.nanoTime() - from) / part;
    }
    Arrays.sort(nanos);
    return nanos;
  }
}
