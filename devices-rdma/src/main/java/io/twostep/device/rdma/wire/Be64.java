package io.twostep.device.rdma.wire;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A big-endian field of 64 bits; any alignment, but for the ordered store.
 *
 * @param offset byte offset in the structure
 */
public record Be64(int offset) implements Field {
  private static final ValueLayout.OfLong LAYOUT = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final VarHandle ORDERED = ValueLayout.JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN).varHandle();

  /** Return the field of the structure at {@code base}. */
  public long get(MemorySegment segment, long base) {
    return segment.get(LAYOUT, base + offset);
  }

  /** Store {@code value} in the structure at {@code base}. */
  public void set(MemorySegment segment, long base, long value) {
    segment.set(LAYOUT, base + offset, value);
  }

  /** Store a naturally aligned field with release order, in one piece. */
  public void setRelease(MemorySegment segment, long base, long value) {
    ORDERED.setRelease(segment, base + offset, value);
  }

  @Override
  public int width() {
    return 8;
  }
}
