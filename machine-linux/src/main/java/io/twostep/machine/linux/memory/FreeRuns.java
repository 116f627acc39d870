package io.twostep.machine.linux.memory;

import java.util.Map;
import java.util.TreeMap;

/** The free frames of a stretch of memory as runs, lowest first; pure bookkeeping, not thread-safe. */
final class FreeRuns {
  /** No run is long enough. */
  static final long NONE = -1L;

  private final TreeMap<Long, Long> runs = new TreeMap<>();
  private long free;

  /** Create with {@code frames} frames, all free. */
  FreeRuns(long frames) {
    runs.put(0L, frames);
    free = frames;
  }

  /** Return how many frames are free. */
  long free() {
    return free;
  }

  /**
   * Take the lowest run of {@code count} frames whose first frame plus {@code origin} is a multiple of {@code alignment}, none above {@code highest}.
   *
   * @param alignment a power of two
   * @param origin number of the stretch's first frame, where alignment counts from 0
   * @return the first frame, or {@link #NONE}
   */
  long allocate(long count, long alignment, long origin, long highest) {
    for (Map.Entry<Long, Long> run : runs.entrySet()) {
      long first = ((run.getKey() + origin + alignment - 1) & -alignment) - origin;
      long end = run.getKey() + run.getValue();
      if (first + count <= end && first + count - 1 <= highest) {
        take(run.getKey(), end, first, count);
        return first;
      }
    }
    return NONE;
  }

  private void take(long start, long end, long first, long count) {
    runs.remove(start);
    if (first > start) {
      runs.put(start, first - start);
    }
    if (first + count < end) {
      runs.put(first + count, end - first - count);
    }
    free -= count;
  }

  /**
   * Give a run back.
   *
   * @throws IllegalStateException if a part of it is free already
   */
  void free(long first, long count) {
    Map.Entry<Long, Long> below = runs.floorEntry(first);
    Map.Entry<Long, Long> above = runs.ceilingEntry(first);
    if ((below != null && below.getKey() + below.getValue() > first) || (above != null && above.getKey() < first + count)) {
      throw new IllegalStateException("frames " + first + "+" + count + " are free already");
    }
    long start = first;
    long end = first + count;
    if (below != null && below.getKey() + below.getValue() == first) {
      start = below.getKey();
      runs.remove(start);
    }
    if (above != null && above.getKey() == end) {
      end += above.getValue();
      runs.remove(above.getKey());
    }
    runs.put(start, end - start);
    free += count;
  }
}
