package io.twostep.device.nvme;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import java.util.Arrays;
import java.util.Objects;

/**
 * The memory of one request as the caller composes it: physical ranges, one behind the other.
 *
 * <p>Holds what was added, nothing per page: a contiguous block is one range. Grows once and is reused by {@link #clear}. One thread at a time;
 * unchanged while a request that uses it is under way.
 */
public final class BioVector implements SeekableRanges {
  private long[] phys = new long[8];
  private long[] length = new long[8];
  private int count;
  private long bytes;

  private int position;
  private long inRange;

  /** Create an empty vector. */
  public BioVector() {}

  /** Forget all ranges. */
  public BioVector clear() {
    count = 0;
    bytes = 0;
    position = 0;
    inRange = 0;
    return this;
  }

  /**
   * Append a physical range.
   *
   * @param address physical address of the first byte
   * @param size bytes, positive
   */
  public BioVector add(long address, long size) {
    if (size <= 0) {
      throw new IllegalArgumentException("a range of " + size + " bytes; sizes are positive");
    }
    if (count == phys.length) {
      phys = Arrays.copyOf(phys, count * 2);
      length = Arrays.copyOf(length, count * 2);
    }
    bytes = Math.addExact(bytes, size);
    phys[count] = address;
    length[count++] = size;
    return this;
  }

  /** Append {@code size} bytes of a block from {@code offset} on, frame by frame where its frames are scattered. */
  public BioVector add(MemoryBlock block, long offset, long size) {
    Objects.checkFromIndexSize(offset, size, block.length());
    long at = 0;
    PhysRanges ranges = block.ranges();
    long[] runPhys = new long[16];
    long[] runLength = new long[16];
    ranges.rewind();
    for (int filled = ranges.fill(runPhys, runLength); filled > 0 && at < offset + size; filled = ranges.fill(runPhys, runLength)) {
      for (int i = 0; i < filled; i++) {
        long from = Math.max(offset, at);
        long to = Math.min(offset + size, at + runLength[i]);
        if (from < to) {
          add(runPhys[i] + (from - at), to - from);
        }
        at += runLength[i];
      }
    }
    return this;
  }

  /** Return the bytes of all ranges. */
  public long bytes() {
    return bytes;
  }

  /** Return how many ranges there are. */
  public int ranges() {
    return count;
  }

  @Override
  public void rewind() {
    position = 0;
    inRange = 0;
  }

  @Override
  public void seek(long offset) {
    if (offset < 0 || offset > bytes) {
      throw new IndexOutOfBoundsException("offset " + offset + " of a vector of " + bytes + " bytes");
    }
    long at = 0;
    int range = 0;
    while (range < count && offset - at >= length[range]) {
      at += length[range++];
    }
    position = range;
    inRange = offset - at;
  }

  @Override
  public int fill(long[] toPhys, long[] toLength) {
    int room = Math.min(toPhys.length, toLength.length);
    int n = Math.min(count - position, room);
    if (n <= 0) {
      return 0;
    }
    System.arraycopy(phys, position, toPhys, 0, n);
    System.arraycopy(length, position, toLength, 0, n);
    toPhys[0] += inRange;
    toLength[0] -= inRange;
    position += n;
    inRange = 0;
    return n;
  }
}
