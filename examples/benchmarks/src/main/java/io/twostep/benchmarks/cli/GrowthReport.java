package io.twostep.benchmarks.cli;

import io.twostep.benchmarks.growth.Growth;
import io.twostep.benchmarks.growth.GrowthChart;
import io.twostep.benchmarks.growth.GrowthProcess;
import io.twostep.benchmarks.growth.Measured;
import io.twostep.examples.cli.Environment;
import io.twostep.examples.cli.Printable;
import io.twostep.examples.cli.TextTable;
import io.twostep.examples.cli.WholeFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Runs studies of growth, and writes a table and a picture of each chart beside what it prints. */
final class GrowthReport {
  private final PrintWriter out;
  private final PrintWriter err;
  private final Path folder;

  GrowthReport(PrintWriter out, PrintWriter err, Path folder) {
    this.out = out;
    this.err = err;
    this.folder = folder;
  }

  void run(List<Growth> studies) throws IOException, InterruptedException {
    Map<GrowthChart, List<Measured>> points = new EnumMap<>(GrowthChart.class);
    out.println(Environment.text() + "; median (lowest, highest) of 5 runs");
    for (Growth study : studies) {
      err.println("measuring how cost grows with " + study.text());
      GrowthProcess.measure(study, point -> points.computeIfAbsent(point.chart(), chart -> new ArrayList<>()).add(point));
    }
    report(points);
  }

  /** Print every table before a file is written: what took minutes to measure is not lost to a full disk. */
  void report(Map<GrowthChart, List<Measured>> points) {
    points.forEach(this::print);
    points.forEach(this::write);
    out.flush();
  }

  private void write(GrowthChart chart, List<Measured> points) {
    Path csv = folder.resolve(chart.file() + ".csv");
    Path svg = folder.resolve(chart.file() + ".svg");
    WholeFile.write(csv, "# " + Environment.text() + "; twostep benchmark --growth\n" + chart.csv(points));
    WholeFile.write(svg, chart.svg(points));
    out.println(Printable.of("written to " + csv + " and " + svg));
  }

  private void print(GrowthChart chart, List<Measured> points) {
    TextTable table = new TextTable("  ").heading(chart.file(), "at", "median", "lowest", "highest");
    for (Measured point : points) {
      table.row(point.line(), String.format(Locale.ROOT, "%,.0f", point.x()), number(point.median()), number(point.lowest()), number(point.highest()));
    }
    table.lines().forEach(out::println);
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%,.1f", value);
  }
}
