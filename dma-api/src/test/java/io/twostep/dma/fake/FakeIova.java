package io.twostep.dma.fake;

/** Hands out granules of a small I/O address space, first fit behind the last one given. */
final class FakeIova {
  private final boolean[] used;
  private int cursor;
  private int count;

  FakeIova(int granules) {
    used = new boolean[granules];
    used[0] = true;
    cursor = 1;
  }

  /** Return the first granule, or -1. */
  int allocate(int granules, int alignment, long highestGranule) {
    int found = search(cursor, used.length, granules, alignment, highestGranule);
    if (found < 0) {
      found = search(1, used.length, granules, alignment, highestGranule);
    }
    if (found >= 0) {
      for (int i = 0; i < granules; i++) {
        used[found + i] = true;
      }
      cursor = found + granules;
      count += granules;
    }
    return found;
  }

  private int search(int from, int to, int granules, int alignment, long highest) {
    int at = from + alignment - 1 & -alignment;
    while (at + granules <= to && at + granules - 1 <= highest) {
      int taken = -1;
      for (int i = granules - 1; i >= 0; i--) {
        if (used[at + i]) {
          taken = at + i;
          break;
        }
      }
      if (taken < 0) {
        return at;
      }
      at = taken + alignment & -alignment;
    }
    return -1;
  }

  void free(int first, int granules) {
    for (int i = 0; i < granules; i++) {
      if (!used[first + i]) {
        throw new AssertionError("granule " + (first + i) + " freed twice");
      }
      used[first + i] = false;
    }
    count -= granules;
  }

  int count() {
    return count;
  }
}
