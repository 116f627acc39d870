package io.twostep.examples.compare;

import java.util.Arrays;

/**
 * What several rounds measured.
 *
 * @param median the middle
 * @param lowest the least
 * @param highest the most
 */
public record Spread(double median, double lowest, double highest) {
  static Spread of(double[] rounds) {
    double[] sorted = rounds.clone();
    Arrays.sort(sorted);
    int n = sorted.length;
    return new Spread((sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[0], sorted[n - 1]);
  }
}
