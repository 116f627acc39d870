package io.twostep.backend.swiotlb;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Segments that are staged now, by number: what is registered for release is numbers only, and the segment must stay reachable until then. Thread-safe. */
final class StagedSegments {
  private @Nullable MemorySegment[] segments = new MemorySegment[4];
  private int[] free = {0, 1, 2, 3};
  private int freeCount = 4;

  /** Keeps a segment and returns its number. */
  synchronized int keep(MemorySegment segment) {
    if (freeCount == 0) {
      grow();
    }
    int number = free[--freeCount];
    segments[number] = segment;
    return number;
  }

  private void grow() {
    int before = segments.length;
    segments = Arrays.copyOf(segments, before * 2);
    free = new int[segments.length];
    for (int number = before; number < segments.length; number++) {
      free[freeCount++] = number;
    }
  }

  synchronized MemorySegment get(long number) {
    return Objects.requireNonNull(segments[(int) number], "no such segment");
  }

  /** Forgets a segment. */
  synchronized void drop(long number) {
    segments[(int) number] = null;
    free[freeCount++] = (int) number;
  }
}
