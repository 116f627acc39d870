package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Numbers as they lie in messages: little-endian, packed, at any alignment. */
public final class Bytes {
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private Bytes() {}

  /** Return 16 bits, zero-extended. */
  public static int u16(MemorySegment at, long offset) {
    return Short.toUnsignedInt(at.get(SHORT, offset));
  }

  /** Return 32 bits. */
  public static int u32(MemorySegment at, long offset) {
    return at.get(INT, offset);
  }

  /** Return 64 bits. */
  public static long u64(MemorySegment at, long offset) {
    return at.get(LONG, offset);
  }

  /** Store 16 bits. */
  public static void u16(MemorySegment at, long offset, int value) {
    at.set(SHORT, offset, (short) value);
  }

  /** Store 32 bits. */
  public static void u32(MemorySegment at, long offset, int value) {
    at.set(INT, offset, value);
  }

  /** Store 64 bits. */
  public static void u64(MemorySegment at, long offset, long value) {
    at.set(LONG, offset, value);
  }

  /** Return {@code width} bytes as a number, zero-extended; 1, 2, 4 or 8. */
  public static long number(MemorySegment at, long offset, int width) {
    return switch (width) {
      case 1 -> Byte.toUnsignedLong(at.get(ValueLayout.JAVA_BYTE, offset));
      case 2 -> u16(at, offset);
      case 4 -> Integer.toUnsignedLong(u32(at, offset));
      case 8 -> u64(at, offset);
      default -> throw new IllegalArgumentException("an access is 1, 2, 4 or 8 bytes wide, not " + width);
    };
  }

  /** Store the low {@code width} bytes of a number; 1, 2, 4 or 8. */
  public static void number(MemorySegment at, long offset, int width, long value) {
    switch (width) {
      case 1 -> at.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
      case 2 -> u16(at, offset, (int) value);
      case 4 -> u32(at, offset, (int) value);
      case 8 -> u64(at, offset, value);
      default -> throw new IllegalArgumentException("an access is 1, 2, 4 or 8 bytes wide, not " + width);
    }
  }
}
