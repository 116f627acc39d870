package io.twostep.dma;

/** Writes addresses and ranges the way messages show them. */
final class Hex {
  private Hex() {}

  static String of(long address) {
    return "0x" + Long.toHexString(address);
  }

  static String range(long first, long length) {
    return of(first) + "+" + of(length);
  }
}
