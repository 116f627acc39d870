package io.twostep.benchmarks.cli;

import io.twostep.benchmarks.flow.CheckerCost;
import io.twostep.benchmarks.flow.Pair.Spread;
import java.io.PrintWriter;
import java.util.Locale;

/** Prints what the counting part of the checker costs: a sentence, or one JSON object. */
final class CheckerReport {
  private static final String SENTENCE =
      "A request of %d pages, mapped and unmapped: %,.0f ns without the checker, %,.0f ns with its counting part: %+.1f %% (%+.1f .. %+.1f, %d rounds in turns, processor time)";
  private static final String OBJECT =
      "{\"case\":\"checker\",\"pages\":%d,\"ns_without\":%.1f,\"ns_with\":%.1f,\"percent\":%.2f,\"min_percent\":%.2f,\"max_percent\":%.2f,\"rounds\":%d}";

  private final PrintWriter out;
  private final boolean json;

  CheckerReport(PrintWriter out, boolean json) {
    this.out = out;
    this.json = json;
  }

  void print(CheckerCost cost) {
    Spread percent = cost.percent();
    out.println(
        String.format(
            Locale.ROOT,
            json ? OBJECT : SENTENCE,
            cost.pages(),
            cost.costs().one().median(),
            cost.costs().other().median(),
            percent.median(),
            percent.lowest(),
            percent.highest(),
            cost.costs().rounds()));
    out.flush();
  }
}
