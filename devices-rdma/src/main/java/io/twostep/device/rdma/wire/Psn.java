package io.twostep.device.rdma.wire;

/** Compute with packet sequence numbers: 24 bits, in a circle (IBA 9.7.2). Half of the circle lies behind a number, half before it. */
public final class Psn {
  /** The bits of a number. */
  public static final int MASK = 0xffffff;

  private static final int UNUSED_BITS = 8;

  private Psn() {}

  /** Return the number {@code steps} behind {@code psn}; steps may be negative. */
  public static int add(int psn, int steps) {
    return (psn + steps) & MASK;
  }

  /** Return how far {@code psn} is behind {@code from}: -2^23 to 2^23 - 1, negative if it comes before. */
  public static int distance(int from, int psn) {
    return ((psn - from) << UNUSED_BITS) >> UNUSED_BITS;
  }

  /** Tell whether {@code psn} is one of the {@code count} numbers from {@code first} on. */
  public static boolean isWithin(int psn, int first, int count) {
    return ((psn - first) & MASK) < count;
  }
}
