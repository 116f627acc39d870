package io.twostep.examples.copy;

import io.twostep.dma.DmaSink;
import io.twostep.dma.RangeKind;

/** The ranges a request became for the device, and how far they are used up. Refuses what does not fit or is not memory. */
final class DmaRanges implements DmaSink {
  private final long[] address = new long[256];
  private final long[] length = new long[256];
  private int count;
  private int at;

  void clear() {
    count = 0;
    at = 0;
  }

  @Override
  public boolean accept(long dmaAddress, long bytes, int kind) {
    if (count == address.length || kind != RangeKind.LOCAL) {
      return false;
    }
    address[count] = dmaAddress;
    length[count++] = bytes;
    return true;
  }

  /** Return the bytes left in the current range; 0 at the end. */
  long remaining() {
    return at == count ? 0 : length[at];
  }

  /** Use up bytes of the current range and return where they begin. */
  long take(long bytes) {
    long start = address[at];
    address[at] += bytes;
    length[at] -= bytes;
    if (length[at] == 0) {
      at++;
    }
    return start;
  }
}
