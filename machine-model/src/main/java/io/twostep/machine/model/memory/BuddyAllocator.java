package io.twostep.machine.model.memory;

import java.util.Arrays;

/**
 * Hand out naturally aligned runs of page frames from sets of free blocks, one set per order, joining buddies as they come back.
 *
 * <p>Frames are absolute numbers in one of two zones, below and above 4 GiB; requests without a limit take high frames first, so that low ones
 * are left for those who need them. Pure and not thread-safe; allocates no memory in steady state.
 */
final class BuddyAllocator {
  /** No frame. */
  static final int NONE = -1;

  private static final int ORDERS = 29;
  private static final int LOW = 0;
  private static final int HIGH = 1;

  private final int[][][] blocks = new int[2][ORDERS][8];
  private final int[][] counts = new int[2][ORDERS];
  /** Head of each free block to its order (low 8 bits) and its place in that order's set. */
  private final IntMap places = new IntMap();
  private long free;
  private int lastOrder;

  /** Add frames that were never free before, or give back frames: {@code count} from {@code pfn} on. */
  void free(int pfn, int count) {
    int from = pfn;
    int left = count;
    while (left > 0) {
      int order = Math.min(from == 0 ? ORDERS - 1 : Integer.numberOfTrailingZeros(from), 31 - Integer.numberOfLeadingZeros(left));
      order = Math.min(order, ORDERS - 1);
      freeBlock(from, order);
      from += 1 << order;
      left -= 1 << order;
    }
    free += count;
  }

  /** Return the number of free frames. */
  long freeFrames() {
    return free;
  }

  /** Return the number of free blocks: the fewer, the less fragmented. */
  int freeBlocks() {
    return places.size();
  }

  /**
   * Take {@code count} adjacent frames, aligned to the smallest power of two that holds them, none above {@code lastPfn}.
   *
   * @return the first frame, or {@link #NONE}
   */
  int allocate(int count, int lastPfn) {
    int order = order(count);
    int pfn = NONE;
    if (lastPfn >= PhysicalLayout.HIGH_PFN) {
      pfn = take(HIGH, order, count, lastPfn);
    }
    if (pfn == NONE) {
      pfn = take(LOW, order, count, lastPfn);
    }
    if (pfn != NONE) {
      trim(pfn, order, count);
    }
    return pfn;
  }

  /** Take frames as {@link #allocate(int, int)} does, none below {@code firstPfn} either; looks at every free block that is large enough. */
  int allocateWithin(int count, int firstPfn, int lastPfn) {
    int order = order(count);
    int size = 1 << order;
    long least = (long) firstPfn + size - 1 & -size;
    for (int zone = HIGH; zone >= LOW; zone--) {
      for (int o = order; o < ORDERS; o++) {
        for (int i = 0; i < counts[zone][o]; i++) {
          int head = blocks[zone][o][i];
          long pfn = Math.max(head, least);
          if (pfn + size <= head + (1L << o) && pfn + count - 1 <= lastPfn) {
            removeBlock(head, zone, o);
            free -= 1L << o;
            int taken = (int) pfn;
            free(head, taken - head);
            free(taken + size, head + (1 << o) - taken - size);
            trim(taken, order, count);
            return taken;
          }
        }
      }
    }
    return NONE;
  }

  /** Take a block of {@code order}, or of the largest lower order there is, anywhere in a zone at random; NONE if the zone is empty. */
  int allocateAnywhere(boolean high, int order, Rng rng) {
    int zone = high ? HIGH : LOW;
    int from = pickOrder(zone, order, rng);
    if (from == NONE) {
      return NONE;
    }
    int pfn = blocks[zone][from][rng.below(counts[zone][from])];
    removeBlock(pfn, zone, from);
    int target = Math.min(order, from);
    for (int at = from - 1; at >= target; at--) {
      int half = 1 << at;
      if ((rng.next() & 1) == 0) {
        addBlock(pfn + half, zone, at);
      } else {
        addBlock(pfn, zone, at);
        pfn += half;
      }
    }
    free -= 1L << target;
    lastOrder = target;
    return pfn;
  }

  /** Return the order of the block that {@link #allocateAnywhere} returned last. */
  int lastOrder() {
    return lastOrder;
  }

  /** Choose an order to take from: any that holds the request, else the largest below it. */
  private int pickOrder(int zone, int order, Rng rng) {
    int candidates = 0;
    for (int o = order; o < ORDERS; o++) {
      candidates += counts[zone][o];
    }
    if (candidates > 0) {
      int pick = rng.below(candidates);
      for (int o = order; o < ORDERS; o++) {
        pick -= counts[zone][o];
        if (pick < 0) {
          return o;
        }
      }
    }
    for (int o = order - 1; o >= 0; o--) {
      if (counts[zone][o] > 0) {
        return o;
      }
    }
    return NONE;
  }

  private int take(int zone, int order, int count, int lastPfn) {
    for (int o = order; o < ORDERS; o++) {
      int n = counts[zone][o];
      if (n == 0) {
        continue;
      }
      int pfn = blocks[zone][o][n - 1];
      if (pfn + count - 1 > lastPfn) {
        pfn = lowest(zone, o);
        if (pfn + count - 1 > lastPfn) {
          continue;
        }
      }
      removeBlock(pfn, zone, o);
      for (int at = o - 1; at >= order; at--) {
        addBlock(pfn + (1 << at), zone, at);
      }
      free -= 1L << order;
      return pfn;
    }
    return NONE;
  }

  private int lowest(int zone, int order) {
    int lowest = Integer.MAX_VALUE;
    for (int i = 0; i < counts[zone][order]; i++) {
      lowest = Math.min(lowest, blocks[zone][order][i]);
    }
    return lowest;
  }

  private void trim(int pfn, int order, int count) {
    int surplus = (1 << order) - count;
    if (surplus > 0) {
      free(pfn + count, surplus);
    }
  }

  private void freeBlock(int head, int headOrder) {
    int pfn = head;
    int order = headOrder;
    int zone = zone(pfn);
    while (order < ORDERS - 1) {
      int buddy = pfn ^ (1 << order);
      long place = places.get(buddy);
      if (place == IntMap.MISSING || (place & 0xff) != order || zone(buddy) != zone) {
        break;
      }
      removeBlock(buddy, zone, order);
      pfn = Math.min(pfn, buddy);
      order++;
    }
    addBlock(pfn, zone, order);
  }

  private void addBlock(int pfn, int zone, int order) {
    int at = counts[zone][order]++;
    if (at == blocks[zone][order].length) {
      blocks[zone][order] = Arrays.copyOf(blocks[zone][order], at * 2);
    }
    blocks[zone][order][at] = pfn;
    places.put(pfn, ((long) at << 8) | order);
  }

  private void removeBlock(int pfn, int zone, int order) {
    int at = (int) (places.remove(pfn) >>> 8);
    int last = --counts[zone][order];
    if (at != last) {
      int moved = blocks[zone][order][last];
      blocks[zone][order][at] = moved;
      places.put(moved, ((long) at << 8) | order);
    }
  }

  private static int zone(int pfn) {
    return pfn >= PhysicalLayout.HIGH_PFN ? HIGH : LOW;
  }

  private static int order(int count) {
    return 32 - Integer.numberOfLeadingZeros(count - 1);
  }
}
