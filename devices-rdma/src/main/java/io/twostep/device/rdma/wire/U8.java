package io.twostep.device.rdma.wire;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * An unsigned byte.
 *
 * @param offset byte offset in the structure
 */
public record U8(int offset) implements Field {
  private static final VarHandle HANDLE = ValueLayout.JAVA_BYTE.varHandle();

  /** Return the field of the structure at {@code base}, 0 to 255. */
  public int get(MemorySegment segment, long base) {
    return segment.get(ValueLayout.JAVA_BYTE, base + offset) & 0xff;
  }

  /** Store the low 8 bits of {@code value} in the structure at {@code base}. */
  public void set(MemorySegment segment, long base, int value) {
    segment.set(ValueLayout.JAVA_BYTE, base + offset, (byte) value);
  }

  /**
   * Return the field with acquire order: what is read afterwards is at least as new.
   *
   * <p>For the byte that the other side stores last, such as the owner of a queue entry.
   */
  public int getAcquire(MemorySegment segment, long base) {
    return (byte) HANDLE.getAcquire(segment, base + offset) & 0xff;
  }

  /** Store the field with release order: what was stored before is seen by whoever acquires it. */
  public void setRelease(MemorySegment segment, long base, int value) {
    HANDLE.setRelease(segment, base + offset, (byte) value);
  }

  @Override
  public int width() {
    return 1;
  }
}
