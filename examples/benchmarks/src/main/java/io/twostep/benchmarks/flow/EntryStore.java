package io.twostep.benchmarks.flow;

import io.twostep.dma.DmaSink;

/** Stores what a device would be given. */
final class EntryStore implements DmaSink {
  private final long[] address;
  private final long[] length;
  private int count;

  EntryStore(int most) {
    address = new long[most];
    length = new long[most];
  }

  void clear() {
    count = 0;
  }

  long last() {
    return address[count - 1];
  }

  @Override
  public boolean accept(long dmaAddress, long bytes, int kind) {
    address[count] = dmaAddress;
    length[count++] = bytes;
    return true;
  }
}
