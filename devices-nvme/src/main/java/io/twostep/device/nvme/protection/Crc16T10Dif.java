package io.twostep.device.nvme.protection;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Compute the 16-bit guard: polynomial 0x8bb7, most significant bit first, from zero (NVM 5.2.1.1). */
final class Crc16T10Dif {
  private static final int POLYNOMIAL = 0x8bb7;
  private static final ValueLayout.OfLong BIG_ENDIAN = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  /** {@code TABLE[256 * n + b]}: what byte {@code b} adds once {@code n} zero bytes have followed it. */
  private static final char[] TABLE = table();

  private Crc16T10Dif() {}

  /** Continue {@code crc}, 0 at first, over {@code length} bytes. */
  static int update(int crc, MemorySegment segment, long offset, long length) {
    int value = crc;
    long at = offset;
    long end = offset + length;
    for (; at + 8 <= end; at += 8) {
      long word = segment.get(BIG_ENDIAN, at) ^ ((long) value << 48);
      value =
          TABLE[0x700 + (int) (word >>> 56)]
              ^ TABLE[0x600 + ((int) (word >>> 48) & 0xff)]
              ^ TABLE[0x500 + ((int) (word >>> 40) & 0xff)]
              ^ TABLE[0x400 + ((int) (word >>> 32) & 0xff)]
              ^ TABLE[0x300 + ((int) (word >>> 24) & 0xff)]
              ^ TABLE[0x200 + ((int) (word >>> 16) & 0xff)]
              ^ TABLE[0x100 + ((int) (word >>> 8) & 0xff)]
              ^ TABLE[(int) word & 0xff];
    }
    for (; at < end; at++) {
      value = ((value << 8) & 0xffff) ^ TABLE[((value >>> 8) ^ segment.get(ValueLayout.JAVA_BYTE, at)) & 0xff];
    }
    return value;
  }

  private static char[] table() {
    char[] table = new char[8 * 256];
    for (int b = 0; b < 256; b++) {
      int crc = b << 8;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 0x8000) != 0 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
      }
      table[b] = (char) crc;
    }
    for (int i = 256; i < table.length; i++) {
      int shorter = table[i - 256];
      table[i] = (char) ((shorter << 8) ^ table[shorter >>> 8]);
    }
    return table;
  }
}
