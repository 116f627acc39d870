package io.twostep.device.nvme.wire;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An unsigned little-endian field of 8 bits, naturally aligned.
 *
 * @param offset byte offset in the structure
 */
public record U8(int offset) implements Field {
  private static final ValueLayout.OfByte LAYOUT = ValueLayout.JAVA_BYTE;

  /** Return the field of the structure at {@code base}. */
  public int get(MemorySegment segment, long base) {
    return Byte.toUnsignedInt(segment.get(LAYOUT, base + offset));
  }

  /** Store the low bits of {@code value} in the structure at {@code base}. */
  public void set(MemorySegment segment, long base, int value) {
    segment.set(LAYOUT, base + offset, (byte) value);
  }

  @Override
  public int width() {
    return 1;
  }
}
