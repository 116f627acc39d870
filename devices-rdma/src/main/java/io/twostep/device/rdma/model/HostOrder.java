package io.twostep.device.rdma.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Eight bytes as the host's CPU has them: what atomics compute with. */
final class HostOrder {
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private HostOrder() {}

  static long get(MemorySegment word) {
    return word.get(WORD, 0);
  }

  static void set(MemorySegment word, long value) {
    word.set(WORD, 0, value);
  }
}
