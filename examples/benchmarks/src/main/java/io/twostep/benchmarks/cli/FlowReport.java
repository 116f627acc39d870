package io.twostep.benchmarks.cli;

import io.twostep.benchmarks.flow.FlowCase;
import io.twostep.benchmarks.flow.FlowProcess;
import io.twostep.benchmarks.flow.FlowResult;
import io.twostep.benchmarks.flow.Flows;
import io.twostep.examples.cli.Environment;
import io.twostep.examples.cli.JsonText;
import io.twostep.examples.cli.TextTable;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Measures flows and prints what they cost, as a table or as JSON lines. */
final class FlowReport {
  private final PrintWriter out;
  private final PrintWriter err;
  private final boolean json;
  private final boolean afterAll;

  FlowReport(PrintWriter out, PrintWriter err, boolean json, boolean afterAll) {
    this.out = out;
    this.err = err;
    this.json = json;
    this.afterAll = afterAll;
  }

  void run(List<Flows> flows) throws IOException, InterruptedException {
    Map<FlowCase, FlowResult> alone = new LinkedHashMap<>();
    Map<FlowCase, FlowResult> after = new LinkedHashMap<>();
    for (Flows flow : flows) {
      for (String format : flow.formats()) {
        err.println("measuring " + flow.text() + below(format));
        FlowProcess.measure(flow, format, false, result -> take(result, alone));
        if (afterAll) {
          FlowProcess.measure(flow, format, true, result -> after.put(result.of(), result));
        }
      }
    }
    if (!json) {
      print(alone, after);
    }
  }

  private static String below(String format) {
    return switch (format) {
      case FlowCase.NO_FORMAT -> "";
      case FlowCase.DIRECT -> " where nothing translates";
      default -> " with " + format + " tables";
    };
  }

  private void take(FlowResult result, Map<FlowCase, FlowResult> results) {
    results.put(result.of(), result);
    if (json) {
      out.println(json(result));
      out.flush();
    }
  }

  private static String json(FlowResult result) {
    FlowCase of = result.of();
    return new JsonText()
        .open('{')
        .member("case", of.name())
        .member("fmt", of.format())
        .member("n", of.n())
        .member("threads", of.threads())
        .member("ns_per_page", result.medianPerPage())
        .member("ns_per_op", result.median())
        .member("min_ns_per_op", result.fastest())
        .member("max_ns_per_op", result.slowest())
        .member("heap_bytes_per_op", result.heapBytesPerOperation())
        .member("runs", result.nanosPerOperation().size())
        .close('}')
        .toString();
  }

  private void print(Map<FlowCase, FlowResult> alone, Map<FlowCase, FlowResult> after) {
    TextTable table = new TextTable("");
    if (afterAll) {
      table.heading("flow", "tables", "n", "threads", "ns/page", "ns/op", "min", "max", "heap B/op", "after all", "ratio");
    } else {
      table.heading("flow", "tables", "n", "threads", "ns/page", "ns/op", "min", "max", "heap B/op");
    }
    alone.forEach((of, result) -> table.row(row(of, result, after.get(of))));
    out.println(Environment.text() + "; medians of 9 runs, per thread; each flow in a JVM of its own");
    table.lines().forEach(out::println);
    out.println("n: pages an operation maps (of 4 KiB, map_2m and two_step_2m of 2 MiB); live ranges for iova; bytes for swiotlb.");
    out.flush();
  }

  private String[] row(FlowCase of, FlowResult result, @org.jspecify.annotations.Nullable FlowResult after) {
    String[] cells = new String[afterAll ? 11 : 9];
    cells[0] = of.name();
    cells[1] = of.format();
    cells[2] = Integer.toString(of.n());
    cells[3] = Integer.toString(of.threads());
    cells[4] = number(result.medianPerPage());
    cells[5] = number(result.median());
    cells[6] = number(result.fastest());
    cells[7] = number(result.slowest());
    cells[8] = number(result.heapBytesPerOperation());
    if (after != null) {
      cells[9] = number(after.median());
      cells[10] = String.format(Locale.ROOT, "%.2f", after.median() / result.median());
    }
    return cells;
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, value < 100 ? "%.1f" : "%.0f", value);
  }
}
