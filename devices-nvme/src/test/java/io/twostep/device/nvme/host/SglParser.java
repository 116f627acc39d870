package io.twostep.device.nvme.host;

import java.util.ArrayList;
import java.util.List;

/** Reads an SGL as a controller does, from the text of the specification and not from the builder. */
final class SglParser {
  private SglParser() {}

  /** Parse from a descriptor given as its two words. */
  static Ranges parse(FakeListPages memory, long word0, long word1) {
    List<Ranges.Range> ranges = new ArrayList<>();
    long address = word0;
    long word = word1;
    while (true) {
      require((word & 0x0fffffff_00000000L) == 0, "reserved bits or subtype");
      long length = word & 0xffffffffL;
      int type = (int) (word >>> 60);
      if (type == 0) {
        if (length != 0) {
          ranges.add(new Ranges.Range(address, length));
        }
        return new Ranges(ranges);
      }
      require(type == 2 || type == 3, "type " + type);
      require(length % 16 == 0 && length > 0 && length <= memory.pageSize(), "segment length " + length);
      long data = type == 3 ? length : length - 16;
      for (long at = 0; at < data; at += 16) {
        long descriptor = memory.read(address + at + 8);
        require(descriptor >>> 32 == 0, "data descriptor");
        ranges.add(new Ranges.Range(memory.read(address + at), descriptor));
      }
      if (type == 3) {
        return new Ranges(ranges);
      }
      word = memory.read(address + data + 8);
      address = memory.read(address + data);
      require(word >>> 61 == 1, "a segment ends with a pointer to a segment");
    }
  }

  private static void require(boolean condition, String what) {
    if (!condition) {
      throw new AssertionError("controller refuses: " + what);
    }
  }
}
