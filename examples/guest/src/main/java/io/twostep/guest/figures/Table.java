package io.twostep.guest.figures;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Series with the same columns and the same unit. */
final class Table {
  private final String name;
  private final String unit;
  private final List<String> columns;
  private final List<Series> rows = new ArrayList<>();

  Table(String name, String unit, List<String> columns) {
    this.name = name;
    this.unit = unit;
    this.columns = columns;
  }

  void add(Series row) {
    rows.add(row);
  }

  /** Return lines for people, a head first. */
  List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add(name + "; " + unit + ": median (lowest, highest)");
    lines.add(line(columns, unit));
    rows.forEach(row -> lines.add(line(row.labels(), row.text())));
    return lines;
  }

  private static String line(List<String> labels, String value) {
    StringBuilder line = new StringBuilder("  ");
    for (String label : labels) {
      line.append("%-24s".formatted(label));
    }
    return line.append("%28s".formatted(value)).toString();
  }

  /** Return the rows as a JSON array. */
  String json() {
    return rows.stream().map(row -> row.json(columns, unit)).collect(Collectors.joining(",", "[", "]"));
  }
}
