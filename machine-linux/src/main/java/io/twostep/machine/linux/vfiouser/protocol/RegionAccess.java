package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/**
 * A read or write of a region, read and written in place; the data follow in the write and in the reply to the read.
 *
 * <pre>
 *   0 u64 offset   8 u32 region   12 u32 count   16 data
 * </pre>
 */
public final class RegionAccess {
  /** Bytes before the data. */
  public static final int SIZE = 16;

  private RegionAccess() {}

  /** Write the part before the data: {@code count} bytes at {@code offset} of the region with an index. */
  public static void write(MemorySegment to, long offset, int region, int count) {
    Bytes.u64(to, 0, offset);
    Bytes.u32(to, 8, region);
    Bytes.u32(to, 12, count);
  }

  /** Return the first byte in the region. */
  public static long offset(MemorySegment payload) {
    return Bytes.u64(payload, 0);
  }

  /** Return the region's index. */
  public static int region(MemorySegment payload) {
    return Bytes.u32(payload, 8);
  }

  /** Return the bytes to access. */
  public static int count(MemorySegment payload) {
    return Bytes.u32(payload, 12);
  }

  /**
   * Check an access that carries no data: the command to read, the reply to a write.
   *
   * @param length bytes that came
   * @throws ProtocolException if it is too short
   */
  public static void require(int length) {
    Payload.requireSize("region access", length, SIZE);
  }

  /**
   * Check an access that carries its data: the command to write, the reply to a read.
   *
   * @param length bytes that came
   * @throws ProtocolException unless exactly as many bytes follow as it says
   */
  public static void requireData(MemorySegment payload, int length) {
    require(length);
    if (length - SIZE != Integer.toUnsignedLong(count(payload))) {
      throw new ProtocolException("region access of %s bytes carries %d".formatted(Integer.toUnsignedString(count(payload)), length - SIZE));
    }
  }

  /**
   * Check that a reply is about the access that was asked for.
   *
   * @throws ProtocolException if it is not
   */
  public static void requireEcho(MemorySegment payload, long offset, int region, int count) {
    if (offset(payload) != offset || region(payload) != region || count(payload) != count) {
      throw new ProtocolException("was asked for " + text(offset, region, count) + " and answered " + text(payload));
    }
  }

  /** Return the access, for messages. */
  public static String text(MemorySegment payload) {
    return text(offset(payload), region(payload), count(payload));
  }

  private static String text(long offset, int region, int count) {
    return "0x%x+0x%x of region %s".formatted(offset, count, Integer.toUnsignedString(region));
  }
}
