package io.twostep.device.vfio.wire;

import java.lang.foreign.MemorySegment;

/** The bytes that FILL writes: 64-bit words, each a mix of the seed and the word's number. */
public final class FillPattern {
  private static final long STEP = 0x9e37_79b9_7f4a_7c15L;

  private FillPattern() {}

  /** Return word {@code index} of a seed's pattern. */
  public static long word(long seed, long index) {
    long z = seed + (index + 1) * STEP;
    z = (z ^ (z >>> 31)) * 0xbf58_476d_1ce4_e5b9L;
    return z ^ (z >>> 29);
  }

  /** Write words {@code first} and on over {@code length} bytes of a segment. */
  public static void fill(MemorySegment segment, long offset, long length, long seed, long first) {
    for (long at = 0; at < length; at += Long.BYTES) {
      segment.set(CommandLayout.U64, offset + at, word(seed, first + at / Long.BYTES));
    }
  }

  /** Tell whether a segment holds words {@code first} and on. */
  public static boolean matches(MemorySegment segment, long offset, long length, long seed, long first) {
    for (long at = 0; at < length; at += Long.BYTES) {
      if (segment.get(CommandLayout.U64, offset + at) != word(seed, first + at / Long.BYTES)) {
        return false;
      }
    }
    return true;
  }
}
