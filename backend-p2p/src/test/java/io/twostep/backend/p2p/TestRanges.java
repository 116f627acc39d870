package io.twostep.backend.p2p;

import io.twostep.dma.PhysRanges;
import java.util.ArrayList;
import java.util.List;

/** A list of ranges. */
final class TestRanges implements PhysRanges {
  record Range(long phys, long length) {}

  final List<Range> list = new ArrayList<>();
  Runnable onRewind = () -> {};
  private int position;

  static TestRanges of(long... physAndLength) {
    TestRanges ranges = new TestRanges();
    for (int i = 0; i < physAndLength.length; i += 2) {
      ranges.add(physAndLength[i], physAndLength[i + 1]);
    }
    return ranges;
  }

  TestRanges add(long phys, long length) {
    list.add(new Range(phys, length));
    return this;
  }

  long bytes() {
    return list.stream().mapToLong(Range::length).sum();
  }

  @Override
  public void rewind() {
    position = 0;
    onRewind.run();
  }

  @Override
  public int fill(long[] phys, long[] length) {
    int filled = 0;
    while (position < list.size() && filled < phys.length) {
      phys[filled] = list.get(position).phys();
      length[filled++] = list.get(position++).length();
    }
    return filled;
  }
}
