package io.twostep.backend.iommu.iova;

import java.util.BitSet;

/** The naive allocator: one bit per granule, and a walk from the top over every aligned start. */
final class OccupancyOracle {
  private final BitSet occupied = new BitSet();
  private final long granules;

  OccupancyOracle(long granules) {
    this.granules = granules;
    occupied.set(0, Math.toIntExact(granules));
  }

  void free(long from, long to) {
    occupied.clear((int) from, (int) to);
  }

  void occupy(long from, long to) {
    occupied.set((int) from, (int) to);
  }

  boolean isFree(long from, long to) {
    int next = occupied.nextSetBit((int) from);
    return next < 0 || next >= to;
  }

  /** Find the highest aligned hole for {@code size} granules of which the first {@code needed} must be free. */
  long highest(long needed, long alignment, long highestStart) {
    long top = Math.min(highestStart, granules - needed);
    for (long start = top & -alignment; start >= 0; start -= alignment) {
      if (isFree(start, start + needed)) {
        return start;
      }
    }
    return -1;
  }
}
