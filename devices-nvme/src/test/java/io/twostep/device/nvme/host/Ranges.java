package io.twostep.device.nvme.host;

import io.twostep.dma.DmaSink;
import io.twostep.dma.RangeKind;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Runs of bus addresses, compared as the byte stream they stand for. */
record Ranges(List<Range> list) {
  record Range(long dmaAddress, long length) {
    @Override
    public String toString() {
      return "0x" + Long.toHexString(dmaAddress) + "+0x" + Long.toHexString(length);
    }
  }

  static Ranges of(long... addressesAndLengths) {
    List<Range> list = new ArrayList<>();
    for (int i = 0; i < addressesAndLengths.length; i += 2) {
      list.add(new Range(addressesAndLengths[i], addressesAndLengths[i + 1]));
    }
    return new Ranges(list);
  }

  /** Make a request whose inner edges lie on pages, with pages all over the address space. */
  static Ranges onPages(RandomGenerator random, int pageSize, long length) {
    List<Range> list = new ArrayList<>();
    long left = length;
    boolean first = true;
    while (left > 0) {
      long page = random.nextLong(1, 1L << 40) * pageSize;
      long offset = first ? random.nextInt(pageSize / 4) * 4L : 0;
      long pages = random.nextInt(4) == 0 ? random.nextInt(1, 64) : 1;
      long run = Math.min(left, pages * pageSize - offset);
      list.add(new Range(page + offset, run));
      left -= run;
      first = false;
    }
    return new Ranges(list);
  }

  /** Make a request of ranges with any edges that are multiples of {@code alignment}. */
  static Ranges scattered(RandomGenerator random, int count, int alignment) {
    List<Range> list = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      list.add(
          new Range(random.nextLong(1, 1L << 50) * alignment, random.nextLong(1, 1 << 14) * alignment));
    }
    return new Ranges(list);
  }

  long length() {
    return list.stream().mapToLong(Range::length).sum();
  }

  int count() {
    return list.size();
  }

  boolean feed(DmaSink sink) {
    for (Range range : list) {
      if (!sink.accept(range.dmaAddress(), range.length(), RangeKind.LOCAL)) {
        return false;
      }
    }
    return true;
  }

  /** Return the same bytes in the longest runs possible. */
  Ranges merged() {
    List<Range> merged = new ArrayList<>();
    for (Range range : list) {
      Range last = merged.isEmpty() ? null : merged.getLast();
      if (last != null && last.dmaAddress() + last.length() == range.dmaAddress()) {
        merged.set(merged.size() - 1, new Range(last.dmaAddress(), last.length() + range.length()));
      } else {
        merged.add(range);
      }
    }
    return new Ranges(merged);
  }

  /** Return the same bytes cut once more at random places. */
  Ranges shredded(RandomGenerator random) {
    List<Range> cut = new ArrayList<>();
    for (Range range : list) {
      long at = 0;
      while (at < range.length()) {
        long piece = Math.min(range.length() - at, 4L * random.nextInt(1, 3000));
        cut.add(new Range(range.dmaAddress() + at, piece));
        at += piece;
      }
    }
    return new Ranges(cut);
  }
}
