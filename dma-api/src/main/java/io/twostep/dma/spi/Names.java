package io.twostep.dma.spi;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What users type: near misses among names, and sizes with units. */
public final class Names {
  private static final Map<String, Integer> SHIFTS = Map.of("", 0, "B", 0, "K", 10, "M", 20, "G", 30, "T", 40);

  private Names() {}

  /** Return {@code "; did you mean 'x'?"} for the nearest of {@code names}, or the names themselves when none is near. */
  public static String suggest(String wrong, Collection<String> names) {
    List<String> sorted = new ArrayList<>(names);
    sorted.sort(Comparator.comparingInt((String n) -> distance(wrong, n)).thenComparing(n -> n));
    if (!sorted.isEmpty() && distance(wrong, sorted.getFirst()) <= Math.max(1, wrong.length() / 3)) {
      return "; did you mean '" + sorted.getFirst() + "'?";
    }
    sorted.sort(Comparator.naturalOrder());
    return sorted.isEmpty() ? "; there are none" : "; there is: " + String.join(", ", sorted);
  }

  /**
   * Parse bytes: a whole number with an optional K, M, G or T (powers of 1024), {@code iB} or {@code B} optional.
   *
   * @throws NumberFormatException if the text is not of that form, is negative, or does not fit 63 bits
   */
  public static long parseBytes(String text) {
    String t = text.trim().toUpperCase(Locale.ROOT);
    int digits = 0;
    while (digits < t.length() && Character.isDigit(t.charAt(digits))) {
      digits++;
    }
    String unit = t.substring(digits).trim();
    if (unit.length() > 1 && unit.endsWith("IB")) {
      unit = unit.substring(0, unit.length() - 2);
    } else if (unit.length() > 1 && unit.endsWith("B")) {
      unit = unit.substring(0, unit.length() - 1);
    }
    Integer shift = SHIFTS.get(unit);
    if (shift == null || digits == 0) {
      throw new NumberFormatException("'" + text + "' is not a size");
    }
    long value = Long.parseLong(t.substring(0, digits));
    if (value > Long.MAX_VALUE >> shift) {
      throw new NumberFormatException("'" + text + "' is too large");
    }
    return value << shift;
  }

  /** Edit distance in which a swap of neighbours counts once. */
  private static int distance(String a, String b) {
    int[][] cost = new int[a.length() + 1][b.length() + 1];
    for (int i = 0; i <= a.length(); i++) {
      for (int j = 0; j <= b.length(); j++) {
        cost[i][j] = i == 0 || j == 0 ? i + j : step(cost, a, b, i, j);
      }
    }
    return cost[a.length()][b.length()];
  }

  private static int step(int[][] cost, String a, String b, int i, int j) {
    boolean same = a.charAt(i - 1) == b.charAt(j - 1);
    int best = Math.min(cost[i - 1][j - 1] + (same ? 0 : 1), Math.min(cost[i - 1][j], cost[i][j - 1]) + 1);
    boolean swapped = i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1);
    return swapped ? Math.min(best, cost[i - 2][j - 2] + 1) : best;
  }
}
