package io.twostep.backend.iommu.iova;

import java.util.Map;
import java.util.TreeMap;

/** Remember what is reserved, merged, so that reservations may overlap each other but nothing else. */
final class ReservedRanges {
  /** First granule to the granule behind the last. */
  private final TreeMap<Long, Long> ends = new TreeMap<>();

  /** Occupy what of {@code [from, to)} is not reserved yet; all of it or nothing. */
  synchronized boolean tryReserve(SharedFreeTree tree, long from, long to) {
    long done = from;
    while (done < to) {
      long gapStart = endOfReservationAt(done);
      Long next = ends.ceilingKey(gapStart);
      long gapEnd = next == null ? to : Math.min(next, to);
      if (gapStart < gapEnd && !tree.tryOccupy(gapStart, gapEnd)) {
        release(tree, from, done);
        return false;
      }
      done = Math.max(gapStart, gapEnd);
    }
    merge(from, to);
    return true;
  }

  /** Undo the gaps that were occupied before one failed. */
  private void release(SharedFreeTree tree, long from, long to) {
    long done = from;
    while (done < to) {
      long gapStart = endOfReservationAt(done);
      Long next = ends.ceilingKey(gapStart);
      long gapEnd = next == null ? to : Math.min(next, to);
      if (gapStart < gapEnd) {
        tree.vacate(gapStart, gapEnd);
      }
      done = Math.max(gapStart, gapEnd);
    }
  }

  private long endOfReservationAt(long granule) {
    Map.Entry<Long, Long> entry = ends.floorEntry(granule);
    return entry == null ? granule : Math.max(granule, entry.getValue());
  }

  private void merge(long from, long to) {
    long first = from;
    long end = to;
    Map.Entry<Long, Long> entry = ends.floorEntry(end);
    while (entry != null && entry.getValue() >= first) {
      first = Math.min(first, entry.getKey());
      end = Math.max(end, entry.getValue());
      ends.remove(entry.getKey());
      entry = ends.floorEntry(end);
    }
    ends.put(first, end);
  }
}
