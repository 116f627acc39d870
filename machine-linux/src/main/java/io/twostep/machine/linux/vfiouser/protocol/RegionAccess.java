package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/**
 * A read or write of a region; the data follow in the write and in the reply to the read.
 *
 * <pre>
 *   0 u64 offset   8 u32 region   12 u32 count   16 data
 * </pre>
 *
 * @param offset first byte in the region
 * @param region the region's index
 * @param count bytes
 */
public record RegionAccess(long offset, int region, int count) {
  /** Bytes before the data. */
  public static final int SIZE = 16;

  /**
   * Read an access that carries no data: the command to read, the reply to a write.
   *
   * @throws ProtocolException if it is too short
   */
  public static RegionAccess read(MemorySegment payload) {
    Payload.requireSize("region access", payload, SIZE);
    return new RegionAccess(Bytes.u64(payload, 0), Bytes.u32(payload, 8), Bytes.u32(payload, 12));
  }

  /**
   * Read an access that carries its data: the command to write, the reply to a read.
   *
   * @throws ProtocolException unless exactly as many bytes follow as it says
   */
  public static RegionAccess readWithData(MemorySegment payload) {
    RegionAccess access = read(payload);
    if (payload.byteSize() - SIZE != Integer.toUnsignedLong(access.count)) {
      throw new ProtocolException(
          "region access of %s bytes carries %d".formatted(Integer.toUnsignedString(access.count), payload.byteSize() - SIZE));
    }
    return access;
  }

  /** Write the part before the data. */
  public void write(MemorySegment to) {
    Bytes.u64(to, 0, offset);
    Bytes.u32(to, 8, region);
    Bytes.u32(to, 12, count);
  }
}
