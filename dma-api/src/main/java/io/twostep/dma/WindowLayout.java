package io.twostep.dma;

/**
 * Places ranges one behind the other in a window so that each keeps its offset below the alignment: a pure calculus without memory of the
 * ranges.
 *
 * <p>A range follows the one before it without a gap if both edges lie on the alignment; otherwise it starts in the next aligned piece. What lies in
 * between is never mapped.
 */
final class WindowLayout {
  private long mask;
  private long first;
  private long next;
  private boolean empty;
  private int stretches;

  /** Start an empty window; {@code alignMask} is {@code 2^n - 1}. */
  void start(long alignMask) {
    mask = alignMask;
    first = 0;
    next = 0;
    empty = true;
    stretches = 0;
  }

  /** Place a range and return its offset from the aligned base of the window. */
  long place(long phys, long length) {
    long low = phys & mask;
    long at;
    if (empty) {
      at = low;
      first = low;
      empty = false;
      stretches = 1;
    } else if (follows(phys)) {
      at = next;
    } else {
      at = (next + mask & ~mask) + low;
      stretches++;
    }
    next = at + length;
    return at;
  }

  /** Place a run of ranges but for those that are reached by bus address. */
  void place(long[] phys, long[] length, int[] kind, int count) {
    int i = 0;
    while (i < count) {
      if (kind[i] == RangeKind.BUS_PEER) {
        i++;
      } else {
        i = placeStretch(phys, length, kind, i, count);
      }
    }
  }

  /** Place the ranges of one kind that follow each other without a gap, the first wherever it fits; returns the index behind them. */
  int placeStretch(long[] phys, long[] length, int[] kind, int from, int count) {
    place(phys[from], length[from]);
    long end = next;
    int to = from + 1;
    while (to < count && kind[to] == kind[from] && ((end | phys[to]) & mask) == 0) {
      end += length[to++];
    }
    next = end;
    return to;
  }

  private boolean follows(long phys) {
    return ((next | phys) & mask) == 0;
  }

  /** Return the offset of the first byte from the aligned base. */
  long first() {
    return first;
  }

  /** Return the offset just behind the last byte. */
  long end() {
    return next;
  }

  /** Return how many stretches without a gap there are. */
  int stretches() {
    return stretches;
  }
}
