package io.twostep.dma;

import java.util.ArrayList;
import java.util.List;

/** A list of ranges that gives as many at a time as it is told to, counts its passes, and can be changed between them. */
final class Ranges implements PhysRanges {
  final List<long[]> list = new ArrayList<>();
  int atOnce = Integer.MAX_VALUE;
  int passes;
  Runnable onRewind = () -> {};
  private int position;

  static Ranges of(long... physAndLength) {
    Ranges ranges = new Ranges();
    for (int i = 0; i < physAndLength.length; i += 2) {
      ranges.add(physAndLength[i], physAndLength[i + 1]);
    }
    return ranges;
  }

  Ranges add(long phys, long length) {
    list.add(new long[] {phys, length});
    return this;
  }

  void clear() {
    list.clear();
    position = 0;
    passes = 0;
  }

  long bytes() {
    return list.stream().mapToLong(r -> r[1]).sum();
  }

  @Override
  public void rewind() {
    passes++;
    position = 0;
    onRewind.run();
  }

  @Override
  public int fill(long[] phys, long[] length) {
    int filled = 0;
    while (position < list.size() && filled < phys.length && filled < atOnce) {
      phys[filled] = list.get(position)[0];
      length[filled++] = list.get(position++)[1];
    }
    return filled;
  }
}
