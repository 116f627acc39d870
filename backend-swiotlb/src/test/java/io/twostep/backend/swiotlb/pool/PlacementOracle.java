package io.twostep.backend.swiotlb.pool;

import java.util.ArrayList;
import java.util.List;

/** Says by trying every slot whether a buffer has a place, and keeps who holds which slot. */
final class PlacementOracle {
  private static final long SET_BYTES = 64 * SlotRules.SLOT;

  private final long areaBytes;
  private final List<boolean[]> areas = new ArrayList<>();

  PlacementOracle(long areaBytes, int areas) {
    this.areaBytes = areaBytes;
    for (int i = 0; i < areas; i++) {
      this.areas.add(new boolean[(int) (areaBytes / SlotRules.SLOT)]);
    }
  }

  /** One request, in the terms of its definition. */
  record Request(long align, long kept, long boundary, long length, long low) {
    SlotRules rules() {
      return new SlotRules(align - 1, kept - 1, boundary - 1);
    }

    long unit() {
      return Math.max(align, SlotRules.SLOT);
    }

    /** Where the buffer begins, for a start of the allocation. */
    long buffer(long start) {
      return start + (low % kept) % unit();
    }

    long end(long start) {
      return (buffer(start) + length + unit() - 1) / unit() * unit();
    }

    boolean keepsBits(long start) {
      return start % unit() == 0 && buffer(start) % kept == low % kept;
    }

    /** Whether it can avoid every boundary: at the least place after one that its kept bits allow. */
    boolean canAvoidBoundary() {
      return boundary > 0 && low % kept % boundary + length <= boundary;
    }

    boolean crosses(long start) {
      return canAvoidBoundary() && buffer(start) / boundary != (buffer(start) + length - 1) / boundary;
    }
  }

  /** Tells whether any start in any area would do. */
  boolean hasPlace(Request request) {
    for (int area = 0; area < areas.size(); area++) {
      for (long start = 0; start < areaBytes; start += SlotRules.SLOT) {
        if (fits(request, area, start)) {
          return true;
        }
      }
    }
    return false;
  }

  /** Tells whether an allocation may begin there. */
  boolean fits(Request request, int area, long start) {
    long end = request.end(start);
    if (end > areaBytes || !request.keepsBits(start) || request.crosses(start) || !keepsSet(request, start, end)) {
      return false;
    }
    for (long at = start; at < end; at += SlotRules.SLOT) {
      if (areas.get(area)[(int) (at / SlotRules.SLOT)]) {
        return false;
      }
    }
    return true;
  }

  /** What fits a set lies in one; what does not begins at the first place in a set. */
  private boolean keepsSet(Request request, long start, long end) {
    long firstPlace = 0;
    while (!request.keepsBits(firstPlace)) {
      firstPlace += SlotRules.SLOT;
    }
    long inSet = firstPlace % SET_BYTES;
    return inSet + (end - start) <= SET_BYTES ? start / SET_BYTES == (end - 1) / SET_BYTES : start % SET_BYTES == inSet;
  }

  void set(Request request, int area, long start, boolean taken) {
    for (long at = start; at < request.end(start); at += SlotRules.SLOT) {
      areas.get(area)[(int) (at / SlotRules.SLOT)] = taken;
    }
  }

  long used() {
    long used = 0;
    for (boolean[] area : areas) {
      for (boolean taken : area) {
        used += taken ? 1 : 0;
      }
    }
    return used;
  }
}
