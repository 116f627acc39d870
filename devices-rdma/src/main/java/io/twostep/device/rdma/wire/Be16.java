package io.twostep.device.rdma.wire;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * An unsigned big-endian field of 16 bits; any alignment.
 *
 * @param offset byte offset in the structure
 */
public record Be16(int offset) implements Field {
  private static final ValueLayout.OfShort LAYOUT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  /** Return the field of the structure at {@code base}, 0 to 65535. */
  public int get(MemorySegment segment, long base) {
    return segment.get(LAYOUT, base + offset) & 0xffff;
  }

  /** Store the low 16 bits of {@code value} in the structure at {@code base}. */
  public void set(MemorySegment segment, long base, int value) {
    segment.set(LAYOUT, base + offset, (short) value);
  }

  @Override
  public int width() {
    return 2;
  }
}
