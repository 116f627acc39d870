package io.twostep.device.rdma.wire;

/**
 * Adjacent bits of a register or word.
 *
 * @param high last bit, inclusive
 * @param low first bit
 */
public record Bits(int high, int low) {
  /** Check that the bits lie in a 64-bit word. */
  public Bits {
    if (low < 0 || high < low || high > 63) {
      throw new IllegalArgumentException("bits [" + high + ":" + low + "] are not in a 64-bit word");
    }
  }

  /** Name a single bit. */
  public static Bits bit(int index) {
    return new Bits(index, index);
  }

  /** Return the bits of {@code word}, shifted down. */
  public long get(long word) {
    return (word >>> low) & mask();
  }

  /** Return the bits of a 32-bit word, shifted down. */
  public int get(int word) {
    return (int) get(Integer.toUnsignedLong(word));
  }

  /** Tell whether any of the bits is set. */
  public boolean isSet(long word) {
    return get(word) != 0;
  }

  /** Tell whether any of the bits of a 32-bit word is set. */
  public boolean isSet(int word) {
    return get(word) != 0;
  }

  /** Return {@code word} with these bits replaced; a value that does not fit is refused. */
  public long with(long word, long value) {
    if ((value & ~mask()) != 0) {
      throw new IllegalArgumentException("0x" + Long.toHexString(value) + " does not fit bits [" + high + ":" + low + "]");
    }
    return (word & ~(mask() << low)) | (value << low);
  }

  /** Return a 32-bit word with these bits replaced; a value that does not fit is refused. */
  public int with(int word, int value) {
    return (int) with(Integer.toUnsignedLong(word), Integer.toUnsignedLong(value));
  }

  private long mask() {
    return -1L >>> (63 - (high - low));
  }
}
