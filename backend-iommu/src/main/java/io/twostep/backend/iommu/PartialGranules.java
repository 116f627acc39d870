package io.twostep.backend.iommu;

import java.util.Arrays;

/**
 * Remembers which bytes of a granule are linked where that is not all of it: at most the head and the tail of a link.
 *
 * <p>Kept in order of address, so that links with growing offsets append. Used for devices that do not snoop, whose caches are maintained for exactly the linked
 * bytes. Not thread-safe; allocates nothing once it has grown.
 */
final class PartialGranules {
  private long[] granules = {};
  private long[] firsts = {};
  private long[] lasts = {};
  private int count;

  /** Notes that of a granule the addresses {@code first} to {@code last}, inclusive, are linked. */
  void add(long granule, long first, long last) {
    int at = ~find(granule);
    if (count == granules.length) {
      int capacity = Math.max(4, count * 2);
      granules = Arrays.copyOf(granules, capacity);
      firsts = Arrays.copyOf(firsts, capacity);
      lasts = Arrays.copyOf(lasts, capacity);
    }
    move(at, at + 1, count - at);
    granules[at] = granule;
    firsts[at] = first;
    lasts[at] = last;
    count++;
  }

  /** Forgets granules from {@code firstGranule} to {@code lastGranule}, inclusive. */
  void remove(long firstGranule, long lastGranule) {
    int found = find(firstGranule);
    int from = found < 0 ? ~found : found;
    int to = from;
    while (to < count && Long.compareUnsigned(granules[to], lastGranule) <= 0) {
      to++;
    }
    move(to, from, count - to);
    count -= to - from;
  }

  void clear() {
    count = 0;
  }

  int count() {
    return count;
  }

  /** Returns the first linked address of the granule. */
  long first(long granule) {
    int at = find(granule);
    return at < 0 ? granule : firsts[at];
  }

  /** Returns the last linked address of the granule, which ends at {@code granuleLast}. */
  long last(long granule, long granuleLast) {
    int at = find(granule);
    return at < 0 ? granuleLast : lasts[at];
  }

  private void move(int from, int to, int howMany) {
    System.arraycopy(granules, from, granules, to, howMany);
    System.arraycopy(firsts, from, firsts, to, howMany);
    System.arraycopy(lasts, from, lasts, to, howMany);
  }

  /** Finds a granule by binary search; unsigned order, as addresses are. */
  private int find(long granule) {
    int low = 0;
    int high = count - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      int order = Long.compareUnsigned(granules[middle], granule);
      if (order == 0) {
        return middle;
      }
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return ~low;
  }
}
