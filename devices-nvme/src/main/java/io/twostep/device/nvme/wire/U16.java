package io.twostep.device.nvme.wire;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * An unsigned little-endian field of 16 bits, naturally aligned.
 *
 * @param offset byte offset in the structure
 */
public record U16(int offset) implements Field {
  private static final ValueLayout.OfShort LAYOUT = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle HANDLE = LAYOUT.varHandle();

  /** Return the field of the structure at {@code base}. */
  public int get(MemorySegment segment, long base) {
    return Short.toUnsignedInt(segment.get(LAYOUT, base + offset));
  }

  /** Store the low bits of {@code value} in the structure at {@code base}. */
  public void set(MemorySegment segment, long base, int value) {
    segment.set(LAYOUT, base + offset, (short) value);
  }

  /**
   * Return the field with acquire order: what is read afterwards is at least as new.
   *
   * <p>For words that the other side stores last: a queue entry's phase, a shadow doorbell.
   */
  public int getAcquire(MemorySegment segment, long base) {
    return Short.toUnsignedInt((short) HANDLE.getAcquire(segment, base + offset));
  }

  /** Store the field with release order: what was stored before is seen by whoever acquires it. */
  public void setRelease(MemorySegment segment, long base, int value) {
    HANDLE.setRelease(segment, base + offset, (short) value);
  }

  @Override
  public int width() {
    return 2;
  }
}
