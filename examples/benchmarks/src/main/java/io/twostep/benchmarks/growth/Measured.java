package io.twostep.benchmarks.growth;

import io.twostep.benchmarks.flow.FlowResult;

/**
 * One point of a chart.
 *
 * @param chart the chart
 * @param line the line in it
 * @param x where on the line
 * @param median the middle of the rounds
 * @param lowest the least
 * @param highest the most
 */
public record Measured(GrowthChart chart, String line, double x, double median, double lowest, double highest) {
  private static final String SEPARATOR = "\t";

  static Measured ofOperations(GrowthChart chart, String line, double x, FlowResult result) {
    return new Measured(chart, line, x, result.median(), result.fastest(), result.slowest());
  }

  static Measured ofPages(GrowthChart chart, String line, double x, FlowResult result) {
    double pages = result.of().pages();
    return new Measured(chart, line, x, result.median() / pages, result.fastest() / pages, result.slowest() / pages);
  }

  /** Write it as a line that {@link #parse} reads. */
  String text() {
    return String.join(SEPARATOR, chart.name(), line, String.valueOf(x), String.valueOf(median), String.valueOf(lowest), String.valueOf(highest));
  }

  static Measured parse(String text) {
    String[] words = text.split(SEPARATOR, -1);
    return new Measured(
        GrowthChart.valueOf(words[0]),
        words[1],
        Double.parseDouble(words[2]),
        Double.parseDouble(words[3]),
        Double.parseDouble(words[4]),
        Double.parseDouble(words[5]));
  }
}
