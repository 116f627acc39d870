package io.twostep.tck;

import io.twostep.dma.PhysRanges;
import java.util.ArrayList;
import java.util.List;

/** A list of physical ranges, as a driver's own structure would hold them. Used by one thread at a time. */
public final class Ranges implements PhysRanges {
  private final List<Range> ranges = new ArrayList<>();
  private int position;

  /**
   * One range.
   *
   * @param phys first byte
   * @param length bytes
   */
  public record Range(long phys, long length) {
    @Override
    public String toString() {
      return "0x%x+0x%x".formatted(phys, length);
    }
  }

  /** Create an empty list. */
  public Ranges() {}

  /** Append a range and return this. */
  public Ranges add(long phys, long length) {
    ranges.add(new Range(phys, length));
    return this;
  }

  /** Return the ranges in order. */
  public List<Range> list() {
    return List.copyOf(ranges);
  }

  /** Return the bytes of all ranges. */
  public long bytes() {
    return ranges.stream().mapToLong(Range::length).sum();
  }

  @Override
  public void rewind() {
    position = 0;
  }

  @Override
  public int fill(long[] phys, long[] length) {
    int filled = 0;
    while (filled < phys.length && position < ranges.size()) {
      Range range = ranges.get(position++);
      phys[filled] = range.phys;
      length[filled++] = range.length;
    }
    return filled;
  }

  @Override
  public String toString() {
    return ranges.toString();
  }
}
