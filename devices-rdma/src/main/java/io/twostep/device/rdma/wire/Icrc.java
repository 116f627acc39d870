package io.twostep.device.rdma.wire;

import java.lang.foreign.MemorySegment;
import java.util.zip.CRC32;

/**
 * Compute the invariant CRC of a packet (IBA 7.8.1): CRC-32 of Ethernet over all that the network must not change.
 *
 * <p>A packet here begins with its base transport header. The network headers that a real port puts in front of it are not part of it, so the CRC begins with the
 * 8 bytes of ones that stand for them.
 */
public final class Icrc {
  private static final byte[] ONES = {-1, -1, -1, -1, -1, -1, -1, -1};

  private Icrc() {}

  /** Return the CRC of the first {@code length} bytes of a packet, which are all but the CRC itself. */
  public static int of(MemorySegment packet, int length) {
    CRC32 crc = new CRC32();
    crc.update(ONES);
    crc.update(packet.asSlice(0, BthLayout.VARIANT.offset()).asByteBuffer());
    crc.update(0xff);
    int rest = BthLayout.VARIANT.offset() + 1;
    crc.update(packet.asSlice(rest, length - rest).asByteBuffer());
    return (int) crc.getValue();
  }
}
