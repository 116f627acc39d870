package io.twostep.examples.compare.html;

import io.twostep.examples.chart.Markup;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** A row of boxes in the order of their addresses: adjacent where the addresses are, apart where they are not. */
final class Lane {
  private static final double GAP = 6;
  private static final double LEAST = 3;

  /** Left edge and width of each box, by its number. */
  final double[] left;

  final double[] width;

  private final List<Run> runs = new ArrayList<>();

  /** Boxes that follow each other without a gap. */
  private record Run(double left, double right, long address, long end) {}

  /** Lay boxes out over {@code span} from {@code start} on. */
  Lane(List<Long> addresses, List<Long> lengths, double start, double span) {
    int count = addresses.size();
    left = new double[count];
    width = new double[count];
    List<Integer> order = IntStream.range(0, count).boxed().sorted(Comparator.comparing(addresses::get, Long::compareUnsigned)).toList();
    int gaps = 0;
    long bytes = 0;
    for (int i = 0; i < count; i++) {
      bytes += lengths.get(i);
      gaps += i > 0 && isApart(addresses, lengths, order.get(i - 1), order.get(i)) ? 1 : 0;
    }
    double gap = Math.min(GAP, span / 3 / Math.max(1, gaps));
    double room = span - gaps * gap - count * LEAST;
    double x = start;
    double from = start;
    for (int i = 0; i < count; i++) {
      int box = order.get(i);
      if (i > 0 && isApart(addresses, lengths, order.get(i - 1), box)) {
        x += gap;
        from = x;
      }
      left[box] = x;
      width[box] = LEAST + room * lengths.get(box) / bytes;
      x += width[box];
      if (i == count - 1 || isApart(addresses, lengths, box, order.get(i + 1))) {
        int first = order.get(i);
        for (int j = i; j >= 0 && left[order.get(j)] >= from; j--) {
          first = order.get(j);
        }
        runs.add(new Run(from, x, addresses.get(first), addresses.get(box) + lengths.get(box)));
      }
    }
  }

  private static boolean isApart(List<Long> addresses, List<Long> lengths, int before, int after) {
    return addresses.get(before) + lengths.get(before) != addresses.get(after);
  }

  double middle(int box) {
    return left[box] + width[box] / 2;
  }

  /** Write where the first run begins, and where the last one ends if there are several. */
  void addresses(Markup to, double y) {
    Run first = runs.getFirst();
    Run last = runs.getLast();
    to.element("text", "0x" + Long.toHexString(first.address()), "class", "muted", "x", Markup.at(first.left()), "y", Markup.at(y));
    to.element("text", "0x" + Long.toHexString(last.end() - 1), "class", "muted", "x", Markup.at(last.right()), "y", Markup.at(y), "text-anchor", "end");
  }

  /** Return how many runs there are. */
  int runs() {
    return runs.size();
  }
}
