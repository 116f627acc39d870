package io.twostep.dma;

/** Tests of ranges as sign bits, so that a hot path makes one decision where there are several rules. */
final class Bounds {
  private Bounds() {}

  /**
   * Return a negative number unless {@code from .. from + length} is a part, not empty, of {@code 0 .. whole}; exact for all values.
   *
   * @param whole bytes, not negative
   */
  static long outside(long from, long length, long whole) {
    long room = whole - from;
    return from | (length - 1) | room | (room - length);
  }

  /** Return a negative number unless {@code bits}, whose sign bit is clear, are all clear. */
  static long any(long bits) {
    return -bits;
  }
}
