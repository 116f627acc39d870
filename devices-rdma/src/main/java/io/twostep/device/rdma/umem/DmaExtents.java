package io.twostep.device.rdma.umem;

import io.twostep.dma.DmaSink;
import java.util.Arrays;

/** The DMA addresses of mapped memory, in order, adjacent ones joined. Filled by one thread; then read by any. */
public final class DmaExtents implements DmaSink {
  private long[] address = new long[4];
  private long[] bytes = new long[4];
  private int count;
  private long total;

  /** Create an empty list. */
  public DmaExtents() {}

  /** Forget all extents. */
  public void clear() {
    count = 0;
    total = 0;
  }

  @Override
  public boolean accept(long dmaAddress, long length, int kind) {
    total += length;
    if (count > 0 && address[count - 1] + bytes[count - 1] == dmaAddress) {
      bytes[count - 1] += length;
      return true;
    }
    if (count == address.length) {
      address = Arrays.copyOf(address, count * 2);
      bytes = Arrays.copyOf(bytes, count * 2);
    }
    address[count] = dmaAddress;
    bytes[count++] = length;
    return true;
  }

  /** Return how many extents there are. */
  public int count() {
    return count;
  }

  /** Return the DMA address of an extent's first byte. */
  public long dmaAddress(int extent) {
    return address[extent];
  }

  /** Return the bytes of an extent. */
  public long length(int extent) {
    return bytes[extent];
  }

  /** Return the heap bytes that the list takes. */
  public long metadataLength() {
    return (long) (address.length + bytes.length) * Long.BYTES;
  }

  /** Return the bytes of all extents. */
  public long length() {
    return total;
  }

  /**
   * Return the largest page size, in bytes, that describes the extents when their first byte is to be found at {@code iova}: all inner edges, of addresses and of {@code iova} alike, lie on
   * such pages.
   *
   * @param pageSizes the sizes the device has, one bit each, as their sum
   * @return 0 if not even the smallest does, or the range wraps
   */
  public long bestPageSize(long pageSizes, long iova) {
    long last = iova + total - 1;
    if (total == 0 || Long.compareUnsigned(last, iova) < 0) {
      return 0;
    }
    // A page larger than the aligned range that holds all of it gives nothing.
    long useful = iova == last ? 1 : Long.highestOneBit(iova ^ last) << 1;
    long sizes = pageSizes;
    long smallestUseful = useful == 0 ? 0 : pageSizes & -useful;
    if (smallestUseful != 0) {
      sizes &= (Long.lowestOneBit(smallestUseful) << 1) - 1;
    }
    long mask = 0;
    long at = iova;
    for (int i = 0; i < count; i++) {
      mask |= address[i] ^ at;
      if (i > 0) {
        mask |= at;
      }
      at += bytes[i];
    }
    long fitting = mask == 0 ? sizes : sizes & ((Long.lowestOneBit(mask) << 1) - 1);
    return Long.highestOneBit(fitting);
  }
}
