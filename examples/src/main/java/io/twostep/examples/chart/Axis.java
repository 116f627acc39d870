package io.twostep.examples.chart;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A logarithmic axis: where values lie, and which get a mark.
 *
 * @param label what it shows
 * @param least the value at its beginning, positive
 * @param most the value at its end
 * @param bytes whether values are bytes, marked at powers of two
 */
record Axis(String label, double least, double most, boolean bytes) {
  private static final String[] UNITS = {"", " K", " M", " G", " T"};

  /** Make an axis that holds some values with room to the next mark. */
  static Axis over(String label, double least, double most, boolean bytes) {
    double base = bytes ? 2 : 10;
    double from = bytes ? least : Math.pow(base, Math.floor(Math.log10(least)));
    double to = bytes ? most : Math.pow(base, Math.ceil(Math.log10(most) - 1e-9));
    return new Axis(label, from, to > from ? to : from * base, bytes);
  }

  /** Return where a value lies, from 0 to 1. */
  double at(double value) {
    return Math.log(value / least) / Math.log(most / least);
  }

  /** Return the values that get a mark. */
  List<Double> marks() {
    List<Double> marks = new ArrayList<>();
    if (bytes) {
      double octaves = Math.log(most / least) / Math.log(2);
      double step = Math.pow(2, Math.max(1, Math.ceil(octaves / 10)));
      for (double at = least; at <= most * 1.001; at *= step) {
        marks.add(at);
      }
      return marks;
    }
    boolean few = most / least <= 1000;
    for (double decade = least; decade <= most * 1.001; decade *= 10) {
      marks.add(decade);
      if (few && decade * 5 <= most) {
        marks.add(decade * 2);
        marks.add(decade * 5);
      }
    }
    return marks;
  }

  /** Write a value. */
  String text(double value) {
    double base = bytes ? 1024 : 1000;
    double left = value;
    int unit = 0;
    while (left >= base * 0.9995 && unit < UNITS.length - 1) {
      left /= base;
      unit++;
    }
    String number = left == Math.rint(left) ? Long.toString((long) left) : String.format(Locale.ROOT, left < 1 ? "%.2g" : "%.1f", left);
    return number + (bytes && unit > 0 ? UNITS[unit] + "iB" : UNITS[unit]);
  }
}
