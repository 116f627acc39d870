package io.twostep.benchmarks.flow;

import java.util.Arrays;

/** What two workers cost in rounds of a turn each, nanoseconds of an operation; the same place of both is the same round. */
public final class Pair {
  private final double[] one;
  private final double[] other;

  Pair(double[] one, double[] other) {
    this.one = one.clone();
    this.other = other.clone();
  }

  /** Return how many rounds there were. */
  public int rounds() {
    return one.length;
  }

  /** Return what the first costs. */
  public Spread one() {
    return Spread.of(one);
  }

  /** Return what the second costs. */
  public Spread other() {
    return Spread.of(other);
  }

  /**
   * Return how many times the first's cost the second's is, round by round.
   *
   * @param moreOfOne nanoseconds to add to each operation of the first, for what was not measured
   * @param moreOfOther the same for the second
   */
  public Spread ratio(double moreOfOne, double moreOfOther) {
    double[] ratios = new double[one.length];
    Arrays.setAll(ratios, round -> (other[round] + moreOfOther) / (one[round] + moreOfOne));
    return Spread.of(ratios);
  }

  /** The middle and the ends of some figures. */
  public record Spread(double median, double lowest, double highest) {
    static Spread of(double[] figures) {
      double[] sorted = figures.clone();
      Arrays.sort(sorted);
      return new Spread(sorted[sorted.length / 2], sorted[0], sorted[sorted.length - 1]);
    }
  }
}
