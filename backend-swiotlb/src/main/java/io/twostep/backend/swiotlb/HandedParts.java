package io.twostep.backend.swiotlb;

import java.util.Arrays;

/** The parts of a piece that the device was given so far, in order and apart; bytes from the start of the piece. Not thread-safe. */
final class HandedParts {
  /** Begin and end of each part. */
  private long[] bounds = new long[4];

  private int count;

  /** Is given a part. */
  @FunctionalInterface
  interface Visitor {
    void part(long from, long to);
  }

  /** Adds bytes {@code from .. to}, joining parts that they touch. */
  void add(long from, long to) {
    int begin = firstEndingAt(from);
    int end = begin;
    long first = from;
    long last = to;
    while (end < count && bounds[2 * end] <= to) {
      first = Math.min(first, bounds[2 * end]);
      last = Math.max(last, bounds[2 * end + 1]);
      end++;
    }
    int behind = count - end;
    if (2 * (begin + 1 + behind) > bounds.length) {
      bounds = Arrays.copyOf(bounds, 2 * bounds.length);
    }
    System.arraycopy(bounds, 2 * end, bounds, 2 * begin + 2, 2 * behind);
    bounds[2 * begin] = first;
    bounds[2 * begin + 1] = last;
    count = begin + 1 + behind;
  }

  /** Returns the first part that ends at or behind a byte. */
  private int firstEndingAt(long at) {
    int part = 0;
    while (part < count && bounds[2 * part + 1] < at) {
      part++;
    }
    return part;
  }

  /** Tells whether {@code 0 .. length} is one part. */
  boolean isWhole(long length) {
    return count == 1 && bounds[0] == 0 && bounds[1] == length;
  }

  /** Visits what of {@code from .. to} was handed over. */
  void forEach(long from, long to, Visitor visitor) {
    for (int part = 0; part < count; part++) {
      visit(Math.max(from, bounds[2 * part]), Math.min(to, bounds[2 * part + 1]), visitor);
    }
  }

  /** Visits what of {@code from .. to} was not handed over. */
  void forEachGap(long from, long to, Visitor visitor) {
    long at = from;
    for (int part = 0; part < count; part++) {
      visit(at, Math.min(to, bounds[2 * part]), visitor);
      at = Math.max(at, bounds[2 * part + 1]);
    }
    visit(at, to, visitor);
  }

  private static void visit(long from, long to, Visitor visitor) {
    if (from < to) {
      visitor.part(from, to);
    }
  }
}
