package io.twostep.benchmarks.flow;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/**
 * Lets two workers take turns, each first in every other round, so that what the computer does meanwhile befalls both; in processor time of this thread.
 *
 * @param rounds rounds that count, of one turn each
 * @param turnNanos length of a turn, about
 * @param warmUpNanos time to warm each up, at least
 */
public record Turns(int rounds, long turnNanos, long warmUpNanos) {
  /** What a full measurement uses. */
  public static final Turns FULL = new Turns(21, 40_000_000, 2_000_000_000);

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  /** Read by nobody; written so that the work cannot be left out. */
  @SuppressWarnings("UnusedVariable")
  private static volatile long sink;

  /** Measure both. */
  Pair measure(Flow.Worker one, Flow.Worker other) {
    int ofOne = operations(one);
    int ofOther = operations(other);
    double[] nanosOfOne = new double[rounds];
    double[] nanosOfOther = new double[rounds];
    for (int round = 0; round < rounds; round++) {
      if (round % 2 == 0) {
        nanosOfOne[round] = turn(one, ofOne);
        nanosOfOther[round] = turn(other, ofOther);
      } else {
        nanosOfOther[round] = turn(other, ofOther);
        nanosOfOne[round] = turn(one, ofOne);
      }
    }
    return new Pair(nanosOfOne, nanosOfOther);
  }

  /** Warm a worker up, and return how many operations fill a turn. */
  private int operations(Flow.Worker worker) {
    int operations = 1;
    long begun = THREADS.getCurrentThreadCpuTime();
    while (true) {
      double each = Math.max(1, turn(worker, operations));
      int fitting = Math.clamp((long) (turnNanos / each), 1, 1 << 20);
      if (THREADS.getCurrentThreadCpuTime() - begun > warmUpNanos) {
        return fitting;
      }
      operations = Math.min(fitting, operations * 8);
    }
  }

  private static double turn(Flow.Worker worker, int operations) {
    long from = THREADS.getCurrentThreadCpuTime();
    sink = worker.run(operations);
    return (double) (THREADS.getCurrentThreadCpuTime() - from) / operations;
  }
}
