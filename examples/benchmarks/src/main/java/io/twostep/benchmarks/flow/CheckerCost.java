package io.twostep.benchmarks.flow;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;
import java.util.Arrays;

/**
 * What the counting part of the checker adds to a request of scattered pages: mapped and unmapped with it and without it, in turns on one thread, so that both sides meet the same machine.
 *
 * @param pages pages of a request
 * @param rounds rounds that count, each with both sides, in changing order
 * @param nanosWithout median of the rounds without the checker, nanoseconds per request
 * @param nanosWith median of the rounds with it
 * @param percent median over the rounds of what the same round took longer with it
 * @param lowestPercent the least of a round; negative where the side with it was faster
 * @param highestPercent the most of a round
 * @param counted ranges that the checker counted, of all its requests
 */
public record CheckerCost(
    int pages, int rounds, double nanosWithout, double nanosWith, double percent, double lowestPercent, double highestPercent, long counted) {
  /** Rounds of a full measurement. */
  public static final int ROUNDS = 25;

  /** Length of one side of a round of a full measurement, about, nanoseconds. */
  public static final long RUN_NANOS = 30_000_000L;

  private static final long WARM_UP_RUNS = 30;

  /**
   * Measure, on the calling thread.
   *
   * @param pages pages of a request
   * @param rounds rounds that count
   * @param runNanos length of one side of a round, about
   */
  public static CheckerCost measure(int pages, int rounds, long runNanos) {
    FlowCase of = new FlowCase("checker", FlowCase.VTD, pages, pages, 1);
    DebugBackend checker = new DebugBackend(DebugConfig.defaults().with(false, true));
    try (Flow without = new TransferFlow(of);
        Flow with = new TransferFlow(of, checker);
        Flow.Worker bare = without.worker(0, 1);
        Flow.Worker counting = with.worker(0, 1)) {
      int operations = calibrate(bare, counting, runNanos);
      double[] bareNanos = new double[rounds];
      double[] countingNanos = new double[rounds];
      double[] percents = new double[rounds];
      for (int round = 0; round < rounds; round++) {
        if (round % 2 == 0) {
          bareNanos[round] = time(bare, operations);
          countingNanos[round] = time(counting, operations);
        } else {
          countingNanos[round] = time(counting, operations);
          bareNanos[round] = time(bare, operations);
        }
        percents[round] = (countingNanos[round] / bareNanos[round] - 1) * 100;
      }
      Arrays.sort(percents);
      return new CheckerCost(
          pages, rounds, median(bareNanos), median(countingNanos), median(percents), percents[0], percents[rounds - 1], checker.statistics().measures().links());
    } finally {
      checker.close();
    }
  }

  /** Warm both sides up in turns, and return how many operations take about {@code runNanos}. */
  private static int calibrate(Flow.Worker bare, Flow.Worker counting, long runNanos) {
    int operations = 1;
    for (int run = 0; run < WARM_UP_RUNS; run++) {
      double slower = Math.max(time(bare, operations), time(counting, operations));
      operations = (int) Math.clamp((long) (runNanos / slower), 1, 4L * operations);
    }
    return operations;
  }

  private static double time(Flow.Worker worker, int operations) {
    long from = System.nanoTime();
    worker.run(operations);
    return Math.max(1, System.nanoTime() - from) / (double) operations;
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
  }
}
