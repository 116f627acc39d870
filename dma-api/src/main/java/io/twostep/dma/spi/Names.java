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

  /** Levenshtein's distance. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int above = row[j];
        int replace = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(replace, Math.min(above, row[j - 1]) + 1);
        diagonal = above;
      }
    }
    return row[b.length()];
  }
}
