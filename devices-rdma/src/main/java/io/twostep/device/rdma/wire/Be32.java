package io.twostep.device.rdma.wire;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A big-endian field of 32 bits; any alignment, but for the ordered accesses.
 *
 * @param offset byte offset in the structure
 */
public record Be32(int offset) implements Field {
  private static final ValueLayout.OfInt LAYOUT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final VarHandle ORDERED = ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN).varHandle();

  /** Return the field of the structure at {@code base}, as raw bits: see {@link #getUnsigned}. */
  public int get(MemorySegment segment, long base) {
    return segment.get(LAYOUT, base + offset);
  }

  /** Return the field of the structure at {@code base} as 0 to 2^32 - 1. */
  public long getUnsigned(MemorySegment segment, long base) {
    return Integer.toUnsignedLong(get(segment, base));
  }

  /** Store {@code value} in the structure at {@code base}. */
  public void set(MemorySegment segment, long base, int value) {
    segment.set(LAYOUT, base + offset, value);
  }

  /** Store a naturally aligned field with release order: what was stored before is seen by whoever acquires it. */
  public void setRelease(MemorySegment segment, long base, int value) {
    ORDERED.setRelease(segment, base + offset, value);
  }

  @Override
  public int width() {
    return 4;
  }
}
