package io.twostep.device.nvme.protection;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Compute the 64-bit guard: polynomial 0xad93d23594c93659, least significant bit first, inverted at both ends (NVM 5.2.1.3). */
final class Crc64Nvme {
  private static final long REVERSED_POLYNOMIAL = Long.reverse(0xad93d23594c93659L);
  private static final ValueLayout.OfLong LITTLE_ENDIAN = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** {@code TABLE[256 * n + b]}: what byte {@code b} adds once {@code n} zero bytes have followed it. */
  private static final long[] TABLE = table();

  private Crc64Nvme() {}

  /** Continue {@code crc}, 0 at first, over {@code length} bytes. */
  static long update(long crc, MemorySegment segment, long offset, long length) {
    long value = ~crc;
    long at = offset;
    long end = offset + length;
    for (; at + 8 <= end; at += 8) {
      long word = segment.get(LITTLE_ENDIAN, at) ^ value;
      value =
          TABLE[0x700 + ((int) word & 0xff)]
              ^ TABLE[0x600 + ((int) (word >>> 8) & 0xff)]
              ^ TABLE[0x500 + ((int) (word >>> 16) & 0xff)]
              ^ TABLE[0x400 + ((int) (word >>> 24) & 0xff)]
              ^ TABLE[0x300 + ((int) (word >>> 32) & 0xff)]
              ^ TABLE[0x200 + ((int) (word >>> 40) & 0xff)]
              ^ TABLE[0x100 + ((int) (word >>> 48) & 0xff)]
              ^ TABLE[(int) (word >>> 56)];
    }
    for (; at < end; at++) {
      value = (value >>> 8) ^ TABLE[((int) value ^ segment.get(ValueLayout.JAVA_BYTE, at)) & 0xff];
    }
    return ~value;
  }

  private static long[] table() {
    long[] table = new long[8 * 256];
    for (int b = 0; b < 256; b++) {
      long crc = b;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) != 0 ? (crc >>> 1) ^ REVERSED_POLYNOMIAL : crc >>> 1;
      }
      table[b] = crc;
    }
    for (int i = 256; i < table.length; i++) {
      long shorter = table[i - 256];
      table[i] = (shorter >>> 8) ^ table[(int) shorter & 0xff];
    }
    return table;
  }
}
