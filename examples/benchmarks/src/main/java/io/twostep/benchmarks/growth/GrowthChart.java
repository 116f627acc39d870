package io.twostep.benchmarks.growth;

import io.twostep.examples.chart.LineChart;
import io.twostep.examples.chart.LineChart.Point;
import io.twostep.examples.chart.LineChart.Series;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What is drawn. */
public enum GrowthChart {
  /** As requests grow. */
  REQUESTS("Cost of a page as requests grow", "4 KiB pages of a request", "ns for each page", false),
  /** As more is live. */
  LIVE("Cost of an operation as more is live", "live ranges, mappings or pages", "ns for each operation", false),
  /** As more threads work. */
  THREADS("Cost of an operation as threads are added, for each thread", "threads", "ns for each operation", false),
  /** As operations are done. */
  AGE("Cost of an operation as the allocator ages", "operations done", "ns for each operation", false),
  /** The same, in what is kept. */
  AGE_CACHES("What the allocator keeps as it ages", "operations done", "ranges", false),
  /** As RAM grows. */
  MEMORY("Cost of the modelled machine as its memory grows", "bytes of RAM", "ns for each operation", true);

  private final String title;
  private final String xLabel;
  private final String yLabel;
  private final boolean bytes;

  GrowthChart(String title, String xLabel, String yLabel, boolean bytes) {
    this.title = title;
    this.xLabel = xLabel;
    this.yLabel = yLabel;
    this.bytes = bytes;
  }

  /** Return the name of its files, without what comes after the dot. */
  public String file() {
    return "growth-" + name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Return the points as a table with a line of names. */
  public String csv(List<Measured> points) {
    StringBuilder text = new StringBuilder("line," + column(xLabel) + ",median," + "lowest,highest\n");
    for (Measured point : points) {
      text.append(
          String.format(
              Locale.ROOT, "%s,%.0f,%.2f,%.2f,%.2f%n", point.line().replace(',', ';'), point.x(), point.median(), point.lowest(), point.highest()));
    }
    return text.toString();
  }

  private static String column(String label) {
    return label.replace(',', ';');
  }

  /** Return the points as a picture. */
  public String svg(List<Measured> points) {
    Map<String, List<Point>> lines = new LinkedHashMap<>();
    for (Measured point : points) {
      lines.computeIfAbsent(point.line(), line -> new ArrayList<>()).add(new Point(point.x(), point.median(), point.lowest(), point.highest()));
    }
    LineChart chart = new LineChart(file(), title, title + ": " + yLabel + " by " + xLabel + "; both axes are logarithmic", xLabel, yLabel, bytes);
    int colour = 0;
    for (Map.Entry<String, List<Point>> line : lines.entrySet()) {
      chart.add(new Series(line.getKey(), colour++, line.getValue()));
    }
    return chart.file();
  }
}
