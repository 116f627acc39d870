package io.twostep.device.rdma.model;

import java.util.Arrays;

/** The DMA ranges that an access comes down to. Reused. */
final class Pieces {
  private long[] addresses = new long[8];
  private long[] lengths = new long[8];
  private int count;

  void clear() {
    count = 0;
  }

  int count() {
    return count;
  }

  long address(int piece) {
    return addresses[piece];
  }

  long length(int piece) {
    return lengths[piece];
  }

  void add(long address, long length) {
    if (count > 0 && addresses[count - 1] + lengths[count - 1] == address) {
      lengths[count - 1] += length;
      return;
    }
    if (count == addresses.length) {
      addresses = Arrays.copyOf(addresses, 2 * count);
      lengths = Arrays.copyOf(lengths, 2 * count);
    }
    addresses[count] = address;
    lengths[count++] = length;
  }
}
