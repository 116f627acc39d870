package io.twostep.device.rdma;

import java.util.Arrays;

/** Where the local data of one request lies, piece by piece. Reusable; read by the post that is given it, and free for others after it. One thread at a time. */
public final class DataSegments {
  /** The most bytes of one segment. */
  public static final long MAX_LENGTH = 1L << 31;

  private int[] key = new int[4];
  private long[] address = new long[4];
  private long[] length = new long[4];
  private int count;
  private long bytes;

  /** Create an empty list. */
  public DataSegments() {}

  /** Forget all segments. */
  public DataSegments clear() {
    count = 0;
    bytes = 0;
    return this;
  }

  /**
   * Append a segment.
   *
   * @param address address of its first byte in {@code key}
   * @param length bytes, 1 to {@link #MAX_LENGTH}
   */
  public DataSegments add(MemoryKey key, long address, long length) {
    if (length <= 0 || length > MAX_LENGTH) {
      throw new IllegalArgumentException("a segment of " + length + " bytes; segments have 1 to 2^31");
    }
    if (count == this.key.length) {
      this.key = Arrays.copyOf(this.key, 2 * count);
      this.address = Arrays.copyOf(this.address, 2 * count);
      this.length = Arrays.copyOf(this.length, 2 * count);
    }
    this.key[count] = key.key();
    this.address[count] = address;
    this.length[count++] = length;
    bytes += length;
    return this;
  }

  /** Return how many segments there are. */
  public int count() {
    return count;
  }

  /** Return the bytes of all. */
  public long bytes() {
    return bytes;
  }

  int key(int segment) {
    return key[segment];
  }

  long address(int segment) {
    return address[segment];
  }

  long length(int segment) {
    return length[segment];
  }

  /** Return the length as an entry has it: 2^31 is 0. */
  int lengthField(int segment) {
    return (int) (length[segment] & (MAX_LENGTH - 1));
  }
}
