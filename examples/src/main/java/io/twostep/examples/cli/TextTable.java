package io.twostep.examples.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Rows of cells, aligned and {@linkplain Printable printable}; columns that hold only numbers are set to the right. */
public final class TextTable {
  private final String indent;
  private final List<List<String>> rows = new ArrayList<>();
  private boolean heading;

  /** Create an empty table whose lines begin with {@code indent}. */
  public TextTable(String indent) {
    this.indent = indent;
  }

  /** Add the row of column names; at most once, first. */
  public TextTable heading(String... names) {
    heading = true;
    return row(names);
  }

  /** Add a row. */
  public TextTable row(String... cells) {
    rows.add(Arrays.stream(cells).map(Printable::of).toList());
    return this;
  }

  /** Return the table, line by line. */
  public List<String> lines() {
    int columns = rows.stream().mapToInt(List::size).max().orElse(0);
    int[] width = new int[columns];
    boolean[] numeric = new boolean[columns];
    Arrays.fill(numeric, heading);
    for (int r = 0; r < rows.size(); r++) {
      List<String> row = rows.get(r);
      for (int c = 0; c < row.size(); c++) {
        width[c] = Math.max(width[c], row.get(c).length());
        numeric[c] &= (heading && r == 0) || isNumber(row.get(c));
      }
    }
    List<String> lines = new ArrayList<>();
    for (List<String> row : rows) {
      lines.add(line(row, width, numeric));
    }
    return lines;
  }

  private static boolean isNumber(String cell) {
    return !cell.isEmpty() && "-0123456789".indexOf(cell.charAt(0)) >= 0;
  }

  private String line(List<String> row, int[] width, boolean[] numeric) {
    StringBuilder line = new StringBuilder(indent);
    for (int c = 0; c < row.size(); c++) {
      String cell = row.get(c);
      String padding = " ".repeat(width[c] - cell.length());
      line.append(c == 0 ? "" : "  ").append(numeric[c] ? padding + cell : cell + padding);
    }
    return line.toString().stripTrailing();
  }
}
