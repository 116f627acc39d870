package io.twostep.benchmarks.cli;

import io.twostep.benchmarks.flow.CheckerCost;
import java.io.PrintWriter;
import java.util.Locale;

/** Prints what the counting part of the checker costs: a sentence, or one JSON object. */
final class CheckerReport {
  private final PrintWriter out;
  private final boolean json;

  CheckerReport(PrintWriter out, boolean json) {
    this.out = out;
    this.json = json;
  }

  void print(CheckerCost cost) {
    out.println(json ? object(cost) : sentence(cost));
    out.flush();
  }

  private static String sentence(CheckerCost cost) {
    return String.format(
        Locale.ROOT,
        "A request of %d pages, mapped and unmapped: %,.0f ns without the checker, %,.0f ns with its counting part: %+.1f %% (%+.1f .. %+.1f, %d rounds in turns)",
        cost.pages(),
        cost.nanosWithout(),
        cost.nanosWith(),
        cost.percent(),
        cost.lowestPercent(),
        cost.highestPercent(),
        cost.rounds());
  }

  private static String object(CheckerCost cost) {
    return String.format(
        Locale.ROOT,
        "{\"case\":\"checker\",\"pages\":%d,\"ns_without\":%.1f,\"ns_with\":%.1f,\"percent\":%.2f,\"min_percent\":%.2f,\"max_percent\":%.2f,\"rounds\":%d}",
        cost.pages(),
        cost.nanosWithout(),
        cost.nanosWith(),
        cost.percent(),
        cost.lowestPercent(),
        cost.highestPercent(),
        cost.rounds());
  }
}
