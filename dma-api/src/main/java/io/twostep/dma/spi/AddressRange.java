package io.twostep.dma.spi;

import java.util.HexFormat;

/**
 * An inclusive range of addresses.
 *
 * @param first first address
 * @param last last address, inclusive, unsigned not below {@code first}
 * @param purpose what it is, for messages
 */
public record AddressRange(long first, long last, String purpose) {
  public AddressRange {
    if (Long.compareUnsigned(last, first) < 0) {
      throw new IllegalArgumentException(purpose + ": last " + hex(last) + " is below first " + hex(first));
    }
  }

  /** Tell whether both ranges share an address. */
  public boolean overlaps(long otherFirst, long otherLast) {
    return Long.compareUnsigned(otherFirst, last) <= 0 && Long.compareUnsigned(first, otherLast) <= 0;
  }

  @Override
  public String toString() {
    return hex(first) + ".." + hex(last) + " (" + purpose + ")";
  }

  private static String hex(long address) {
    return "0x" + HexFormat.of().toHexDigits(address);
  }
}
