package io.twostep.machine.model.iommu;

import io.twostep.machine.model.memory.Rng;

/**
 * Cache translations of one page size: four-way sets, a random way replaced.
 *
 * <p>Also serves as the cache of table pointers, where the "page" is what one leaf table spans. Not thread-safe.
 */
final class Iotlb {
  /** What {@link #find} returns for a miss. */
  static final int MISS = -1;

  private static final int WAYS = 4;

  private final int shift;
  private final int setMask;
  private final Rng rng;
  /** Page number + 1; 0 for empty. */
  private final long[] tags;

  private final long[] phys;
  private final int[] info;
  private int used;

  Iotlb(int pageShift, int entries, Rng rng) {
    this.shift = pageShift;
    this.setMask = entries / WAYS - 1;
    this.rng = rng;
    tags = new long[entries];
    phys = new long[entries];
    info = new int[entries];
  }

  /** Return the entry for {@code iova}, or {@link #MISS}. */
  int find(long iova) {
    long tag = (iova >>> shift) + 1;
    int at = set(tag);
    for (int i = at; i < at + WAYS; i++) {
      if (tags[i] == tag) {
        return i;
      }
    }
    return MISS;
  }

  /** Return the physical address of the first byte an entry translates to. */
  long phys(int entry) {
    return phys[entry];
  }

  /** Return the bits stored with an entry. */
  int info(int entry) {
    return info[entry];
  }

  /** Store a translation, in place of an older one for the same page. */
  void put(long iova, long toPhys, int bits) {
    long tag = (iova >>> shift) + 1;
    int at = set(tag);
    int victim = -1;
    for (int i = at; i < at + WAYS; i++) {
      if (tags[i] == tag) {
        victim = i;
        break;
      }
      if (tags[i] == 0) {
        victim = i;
      }
    }
    if (victim < 0) {
      victim = at + rng.below(WAYS);
    }
    used += tags[victim] == 0 ? 1 : 0;
    tags[victim] = tag;
    phys[victim] = toPhys;
    info[victim] = bits;
  }

  /** Drop what covers any byte of the range, last inclusive. */
  void invalidate(long firstIova, long lastIova) {
    if (used == 0) {
      return;
    }
    long first = (firstIova >>> shift) + 1;
    long last = (lastIova >>> shift) + 1;
    if (last - first < tags.length) {
      for (long tag = first; tag <= last; tag++) {
        int at = set(tag);
        for (int i = at; i < at + WAYS; i++) {
          if (tags[i] == tag) {
            drop(i);
          }
        }
      }
      return;
    }
    for (int i = 0; i < tags.length; i++) {
      if (tags[i] >= first && tags[i] <= last) {
        drop(i);
      }
    }
  }

  private void drop(int entry) {
    tags[entry] = 0;
    used--;
  }

  private int set(long tag) {
    return ((int) (tag ^ (tag >>> 8)) & setMask) * WAYS;
  }
}
