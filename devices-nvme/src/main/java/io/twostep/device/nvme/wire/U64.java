package io.twostep.device.nvme.wire;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * An unsigned little-endian field of 64 bits, naturally aligned.
 *
 * @param offset byte offset in the structure
 */
public record U64(int offset) implements Field {
  private static final ValueLayout.OfLong LAYOUT = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Return the field of the structure at {@code base}, as raw bits. */
  public long get(MemorySegment segment, long base) {
    return segment.get(LAYOUT, base + offset);
  }

  /** Store the low bits of {@code value} in the structure at {@code base}. */
  public void set(MemorySegment segment, long base, long value) {
    segment.set(LAYOUT, base + offset, value);
  }

  @Override
  public int width() {
    return 8;
  }
}
