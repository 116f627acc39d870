package io.twostep.backend.debug;

/** Addresses and ranges as messages have them. */
final class Hex {
  private Hex() {}

  static String of(long value) {
    return "0x" + Long.toHexString(value);
  }

  static String range(long first, long length) {
    return of(first) + "+" + of(length);
  }
}
