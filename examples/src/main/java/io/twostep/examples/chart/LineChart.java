package io.twostep.examples.chart;

import java.util.ArrayList;
import java.util.List;

/** Lines over two logarithmic axes, each with its own colour and marker, and a band from lowest to highest where there is a spread. */
public final class LineChart {
  private static final double WIDTH = 860;
  private static final double HEIGHT = 380;
  private static final double LEFT = 70;
  private static final double RIGHT = 190;
  private static final double TOP = 20;

  /** Marker and gaps of a name in the legend, and a letter of it at its widest. */
  private static final double MARKED = 56;

  private static final double LETTER = 7;
  private static final double BOTTOM = 50;

  private final String id;
  private final String title;
  private final String description;
  private final String xLabel;
  private final String yLabel;
  private final boolean bytes;
  private final List<Series> series = new ArrayList<>();

  /**
   * Create a chart without lines.
   *
   * @param id unique in its document
   * @param description what it shows, for those who cannot see it
   * @param bytes whether the horizontal axis counts bytes
   */
  public LineChart(String id, String title, String description, String xLabel, String yLabel, boolean bytes) {
    this.id = id;
    this.title = title;
    this.description = description;
    this.xLabel = xLabel;
    this.yLabel = yLabel;
    this.bytes = bytes;
  }

  /**
   * A line.
   *
   * @param name its name
   * @param colour its colour's number
   * @param points its points, by ascending x
   */
  public record Series(String name, int colour, List<Point> points) {
    public Series {
      points = List.copyOf(points);
    }
  }

  /**
   * A point; all positive.
   *
   * @param x where
   * @param y the middle
   * @param low the lowest
   * @param high the highest
   */
  public record Point(double x, double y, double low, double high) {}

  /** Add a line; one without points is left out. */
  public LineChart add(Series line) {
    if (!line.points().isEmpty()) {
      series.add(line);
    }
    return this;
  }

  /** Write the chart. */
  public void write(Markup to) {
    Axis x = Axis.over(xLabel, extreme(true, false), extreme(true, true), bytes);
    Axis y = Axis.over(yLabel, extreme(false, false), extreme(false, true), false);
    to.open(
        "svg", "xmlns", "http://www.w3.org/2000/svg", "viewBox", "0 0 " + Markup.at(WIDTH - RIGHT + legendWidth()) + " " + Markup.at(HEIGHT), "role", "img", "aria-labelledby",
        id + "-t " + id + "-d");
    to.element("title", title, "id", id + "-t").element("desc", description, "id", id + "-d");
    axes(to, x, y);
    for (int i = 0; i < series.size(); i++) {
      band(to, series.get(i), x, y);
    }
    for (int i = 0; i < series.size(); i++) {
      line(to, series.get(i), x, y);
      legend(to, series.get(i), i);
    }
    to.close();
  }

  /** Return the chart as a file of its own. */
  public String file() {
    Markup inner = new Markup();
    write(inner);
    String svg = inner.toString();
    int afterTag = svg.indexOf('>') + 1;
    String ground = "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>";
    return svg.substring(0, afterTag) + "<style>" + Palette.CSS + "</style>" + ground + svg.substring(afterTag);
  }

  private double extreme(boolean horizontal, boolean most) {
    double found = most ? Double.MIN_VALUE : Double.MAX_VALUE;
    for (Series line : series) {
      for (Point point : line.points()) {
        double value = horizontal ? point.x() : most ? point.high() : point.low();
        found = most ? Math.max(found, value) : Math.min(found, value);
      }
    }
    return found;
  }

  private static double across(Axis x, double value) {
    return LEFT + x.at(value) * (WIDTH - LEFT - RIGHT);
  }

  private static double up(Axis y, double value) {
    return HEIGHT - BOTTOM - y.at(value) * (HEIGHT - TOP - BOTTOM);
  }

  private static void axes(Markup to, Axis x, Axis y) {
    for (double mark : y.marks()) {
      String at = Markup.at(up(y, mark));
      to.leaf("line", "class", "grid", "x1", Markup.at(LEFT), "x2", Markup.at(WIDTH - RIGHT), "y1", at, "y2", at);
      to.element("text", y.text(mark), "x", Markup.at(LEFT - 8), "y", Markup.at(up(y, mark) + 4), "text-anchor", "end");
    }
    for (double mark : x.marks()) {
      String at = Markup.at(across(x, mark));
      to.leaf("line", "class", "grid", "x1", at, "x2", at, "y1", Markup.at(HEIGHT - BOTTOM), "y2", Markup.at(HEIGHT - BOTTOM + 5));
      to.element("text", x.text(mark), "x", at, "y", Markup.at(HEIGHT - BOTTOM + 19), "text-anchor", "middle");
    }
    to.element("text", x.label(), "class", "muted", "x", Markup.at((LEFT + WIDTH - RIGHT) / 2), "y", Markup.at(HEIGHT - 8), "text-anchor", "middle");
    String middle = Markup.at((TOP + HEIGHT - BOTTOM) / 2);
    to.element("text", y.label(), "class", "muted", "x", "14", "y", middle, "text-anchor", "middle", "transform", "rotate(-90 14 " + middle + ")");
  }

  private static void band(Markup to, Series line, Axis x, Axis y) {
    StringBuilder outline = new StringBuilder();
    List<Point> points = line.points();
    for (Point point : points) {
      append(outline, across(x, point.x()), up(y, point.high()));
    }
    for (int i = points.size() - 1; i >= 0; i--) {
      append(outline, across(x, points.get(i).x()), up(y, points.get(i).low()));
    }
    to.leaf("polygon", "class", "band " + Palette.fill(line.colour()), "points", outline.toString());
  }

  private static void line(Markup to, Series line, Axis x, Axis y) {
    StringBuilder path = new StringBuilder();
    for (Point point : line.points()) {
      append(path, across(x, point.x()), up(y, point.y()));
    }
    to.leaf("polyline", "class", "line " + Palette.stroke(line.colour()), "points", path.toString());
    for (Point point : line.points()) {
      to.open("g").element("title", line.name() + ": " + y.text(point.y()) + " at " + x.text(point.x()));
      marker(to, line.colour(), across(x, point.x()), up(y, point.y()));
      to.close();
    }
  }

  private static void append(StringBuilder points, double x, double y) {
    points.append(points.isEmpty() ? "" : " ").append(Markup.at(x)).append(',').append(Markup.at(y));
  }

  /** Shapes differ as colours do. */
  private static void marker(Markup to, int colour, double x, double y) {
    String fill = Palette.fill(colour);
    switch (colour % 4) {
      case 0 -> to.leaf("circle", "class", fill, "cx", Markup.at(x), "cy", Markup.at(y), "r", "4");
      case 1 -> to.leaf("rect", "class", fill, "x", Markup.at(x - 3.5), "y", Markup.at(y - 3.5), "width", "7", "height", "7");
      case 2 -> to.leaf("path", "class", fill, "d", "M" + Markup.at(x) + " " + Markup.at(y - 5) + "l5 9h-10z");
      default -> to.leaf("path", "class", fill, "d", "M" + Markup.at(x) + " " + Markup.at(y - 5) + "l5 5l-5 5l-5 -5z");
    }
  }

  /** Return the width to the right of the plot: never less than usual, so that charts with short names are alike. */
  private double legendWidth() {
    double width = RIGHT;
    for (Series line : series) {
      width = Math.max(width, MARKED + LETTER * line.name().length());
    }
    return width;
  }

  private static void legend(Markup to, Series line, int row) {
    double x = WIDTH - RIGHT + 16;
    double y = TOP + 12 + row * 22;
    to.leaf("line", "class", "line " + Palette.stroke(line.colour()), "x1", Markup.at(x), "x2", Markup.at(x + 24), "y1", Markup.at(y), "y2", Markup.at(y));
    marker(to, line.colour(), x + 12, y);
    to.element("text", line.name(), "x", Markup.at(x + 32), "y", Markup.at(y + 4));
  }
}
