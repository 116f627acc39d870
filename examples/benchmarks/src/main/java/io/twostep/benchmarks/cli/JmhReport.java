package io.twostep.benchmarks.cli;

import io.twostep.examples.cli.BadInput;
import io.twostep.examples.cli.Environment;
import io.twostep.examples.cli.JsonText;
import io.twostep.examples.cli.TextTable;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.BenchmarkList;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormat;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;
import org.openjdk.jmh.util.Statistics;

/** Runs the JMH benchmarks and prints what they cost, as a table or as JSON lines. */
final class JmhReport {
  private static final String HEAP = "gc.alloc.rate.norm";

  private final PrintWriter out;
  private final PrintWriter err;
  private final boolean json;

  JmhReport(PrintWriter out, PrintWriter err, boolean json) {
    this.out = out;
    this.err = err;
    this.json = json;
  }

  void run(String filter) throws IOException {
    ChainedOptionsBuilder options =
        new OptionsBuilder().addProfiler(GCProfiler.class).verbosity(VerboseMode.SILENT).jvmArgsAppend("--enable-native-access=ALL-UNNAMED");
    if (!filter.isEmpty()) {
      options.include(checked(filter));
    }
    err.println("measuring with JMH; this takes some minutes");
    Collection<RunResult> results;
    try {
      results = new Runner(options.build()).run();
    } catch (RunnerException e) {
      throw new IOException("JMH could not measure: " + e.getMessage(), e);
    }
    if (json) {
      results.forEach(result -> out.println(json(result)));
    } else {
      table(results).forEach(out::println);
    }
    out.flush();
  }

  private static String checked(String filter) {
    try {
      Pattern.compile(filter);
    } catch (PatternSyntaxException e) {
      throw new BadInput("'" + filter + "' is no regular expression: " + e.getDescription());
    }
    OutputFormat silent = OutputFormatFactory.createFormatInstance(new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8), VerboseMode.SILENT);
    if (BenchmarkList.defaultList().find(silent, List.of(filter), List.of()).isEmpty()) {
      throw new BadInput("no benchmark matches '" + filter + "'; FILTER is a regular expression for names such as MapPageBenchmark; --flows and --growth have names of their own");
    }
    return filter;
  }

  private static String json(RunResult result) {
    Statistics nanos = result.getPrimaryResult().getStatistics();
    JsonText text = new JsonText().open('{').member("benchmark", name(result)).name("parameters").open('{');
    BenchmarkParams parameters = result.getParams();
    for (String key : parameters.getParamsKeys()) {
      text.member(key, parameters.getParam(key));
    }
    return text.close('}')
        .member("median", nanos.getPercentile(50))
        .member("min", nanos.getMin())
        .member("max", nanos.getMax())
        .member("unit", result.getPrimaryResult().getScoreUnit())
        .member("heap_bytes_per_op", heap(result))
        .member("runs", nanos.getN())
        .close('}')
        .toString();
  }

  private static List<String> table(Collection<RunResult> results) {
    TextTable table = new TextTable("").heading("benchmark", "parameters", "median", "min", "max", "unit", "heap B/op");
    for (RunResult result : results) {
      Statistics nanos = result.getPrimaryResult().getStatistics();
      table.row(
          name(result),
          parameters(result),
          number(nanos.getPercentile(50)),
          number(nanos.getMin()),
          number(nanos.getMax()),
          result.getPrimaryResult().getScoreUnit(),
          number(heap(result)));
    }
    List<String> lines = new ArrayList<>();
    lines.add(Environment.text());
    lines.addAll(table.lines());
    return lines;
  }

  private static String name(RunResult result) {
    String whole = result.getParams().getBenchmark();
    int method = whole.lastIndexOf('.');
    return whole.substring(whole.lastIndexOf('.', method - 1) + 1);
  }

  private static String parameters(RunResult result) {
    BenchmarkParams parameters = result.getParams();
    return String.join(" ", parameters.getParamsKeys().stream().map(key -> key + "=" + parameters.getParam(key)).toList());
  }

  private static double heap(RunResult result) {
    Result<?> heap = result.getSecondaryResults().get(HEAP);
    if (heap == null) {
      throw new IllegalStateException("JMH did not measure the heap of " + name(result));
    }
    return heap.getScore();
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }
}
