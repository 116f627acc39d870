package io.twostep.examples.compare.html;

import io.twostep.examples.compare.Entry;
import io.twostep.examples.compare.Layout;
import java.util.ArrayList;
import java.util.List;

/** Cuts the first request into pieces that lie in one range for the CPU and in one entry for the device. */
final class Pieces {
  private Pieces() {}

  /**
   * A piece.
   *
   * @param phys where it is in memory
   * @param dmaAddress where the device finds it
   * @param length bytes
   * @param range number of its range
   * @param entry number of its entry
   */
  record Piece(long phys, long dmaAddress, long length, int range, int entry) {}

  /** Return the pieces of the entries' bytes, in the order of the request. */
  static List<Piece> of(Layout layout, List<Entry> entries) {
    List<Piece> pieces = new ArrayList<>();
    int range = 0;
    long inRange = 0;
    for (int e = 0; e < entries.size(); e++) {
      long inEntry = 0;
      while (inEntry < entries.get(e).length()) {
        long length = Math.min(entries.get(e).length() - inEntry, layout.length(range) - inRange);
        pieces.add(new Piece(layout.phys(range) + inRange, entries.get(e).dmaAddress() + inEntry, length, range, e));
        inEntry += length;
        inRange += length;
        if (inRange == layout.length(range)) {
          range++;
          inRange = 0;
        }
      }
    }
    return pieces;
  }
}
