package io.twostep.device.nvme.host;

import java.util.ArrayList;
import java.util.List;

/** Reads page entries as a controller does, from the text of the specification and not from the builder. */
final class PrpParser {
  private PrpParser() {}

  static Ranges parse(FakeListPages memory, long prp1, long prp2, long length) {
    int page = memory.pageSize();
    List<Ranges.Range> ranges = new ArrayList<>();
    if (length == 0) {
      require(prp1 == 0 && prp2 == 0, "pointers without data");
      return new Ranges(ranges);
    }
    require(prp1 != 0 && prp1 % 4 == 0, "PRP1");
    long left = length;
    long chunk = Math.min(left, page - Long.remainderUnsigned(prp1, page));
    ranges.add(new Ranges.Range(prp1, chunk));
    left -= chunk;
    if (left == 0) {
      require(prp2 == 0, "PRP2 is not used and must be clear");
    } else if (left <= page) {
      require(prp2 != 0 && Long.remainderUnsigned(prp2, page) == 0, "PRP2 as data page");
      ranges.add(new Ranges.Range(prp2, left));
    } else {
      list(memory, prp2, left, ranges);
    }
    return new Ranges(ranges).merged();
  }

  private static void list(FakeListPages memory, long start, long length, List<Ranges.Range> ranges) {
    int page = memory.pageSize();
    long left = length;
    long slot = start;
    require(slot % 8 == 0, "list address");
    while (left > 0) {
      boolean lastSlot = (slot + 8) % page == 0;
      long entry = memory.read(slot);
      require(entry != 0 && Long.remainderUnsigned(entry, page) == 0, "list entry 0x" + Long.toHexString(entry));
      if (lastSlot && left > page) {
        slot = entry;
        continue;
      }
      long chunk = Math.min(left, page);
      ranges.add(new Ranges.Range(entry, chunk));
      left -= chunk;
      slot += 8;
    }
  }

  private static void require(boolean condition, String what) {
    if (!condition) {
      throw new AssertionError("controller refuses: " + what);
    }
  }
}
