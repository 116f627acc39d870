package io.twostep.device.vfio.dirty;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Ranges of guest addresses that a device is to track: at most as many as it takes, the closest ones made one. */
public final class TrackedRanges {
  /** A range: first guest address and bytes. */
  public record Range(long first, long length) {
    long end() {
      return first + length;
    }
  }

  private TrackedRanges() {}

  /**
   * Return the ranges in order, those that touch or overlap joined, and where there are still more than {@code most}, those with the smallest gaps between them: gaps are then tracked too.
   *
   * @throws IllegalArgumentException for an empty list, a range of no bytes or one that wraps
   */
  public static List<Range> atMost(int most, List<Range> ranges) {
    List<Range> sorted = new ArrayList<>(ranges);
    sorted.sort(Comparator.comparingLong(Range::first));
    List<Range> joined = new ArrayList<>();
    for (Range range : sorted) {
      if (range.first < 0 || range.length <= 0 || range.end() < 0) {
        throw new IllegalArgumentException("0x" + Long.toHexString(range.first) + "+0x" + Long.toHexString(range.length) + " is no range to track");
      }
      if (!joined.isEmpty() && joined.getLast().end() >= range.first) {
        joinAt(joined, joined.size() - 1, range);
      } else {
        joined.add(range);
      }
    }
    if (joined.isEmpty() || most < 1) {
      throw new IllegalArgumentException("there is nothing to track");
    }
    while (joined.size() > most) {
      int closest = 0;
      for (int i = 1; i + 1 < joined.size(); i++) {
        closest = gap(joined, i) < gap(joined, closest) ? i : closest;
      }
      joinAt(joined, closest, joined.remove(closest + 1));
    }
    return joined;
  }

  private static long gap(List<Range> ranges, int at) {
    return ranges.get(at + 1).first - ranges.get(at).end();
  }

  private static void joinAt(List<Range> ranges, int at, Range other) {
    Range range = ranges.get(at);
    ranges.set(at, new Range(range.first, Math.max(range.end(), other.end()) - range.first));
  }
}
