package io.twostep.device.vfio.buffer;

import io.twostep.dma.PhysRanges;
import java.util.Arrays;

/**
 * The physical pages of a buffer, in order: one 64-bit word for each run of adjacent pages, so 8 bytes a page at worst and half a byte at runs of 64 KiB.
 *
 * <pre>
 *  63                    24 23            0
 * +------------------------+---------------+
 * | physical page number   | pages - 1     |
 * +------------------------+---------------+
 * </pre>
 *
 * <p>Pages are of 4 KiB. Used by one thread at a time.
 */
public final class PageList {
  /** Bytes of a page. */
  public static final long PAGE = 4096;

  private static final int PAGE_SHIFT = 12;
  private static final int RUN_BITS = 24;
  private static final long RUN_MASK = (1L << RUN_BITS) - 1;
  private static final int BATCH = 64;

  private long[] runs = {};
  private int count;
  private long pages;

  /** Create an empty list. */
  public PageList() {}

  /**
   * Append ranges of one piece of memory, read once; the list is unchanged if one is refused. What was appended by another call is another piece, even if it is adjacent.
   *
   * @throws IllegalArgumentException for a range that is not whole pages, or lies above 2^52
   */
  public void append(PhysRanges ranges) {
    long[] phys = new long[BATCH];
    long[] length = new long[BATCH];
    int oldCount = count;
    long oldPages = pages;
    ranges.rewind();
    try {
      for (int filled = ranges.fill(phys, length); filled > 0; filled = ranges.fill(phys, length)) {
        for (int i = 0; i < filled; i++) {
          append(phys[i], length[i], oldCount);
        }
      }
    } catch (IllegalArgumentException e) {
      count = oldCount;
      pages = oldPages;
      throw e;
    }
    runs = Arrays.copyOf(runs, count);
  }

  /** Join a range to the last run, unless that was there before this call. */
  private void append(long phys, long length, int before) {
    if (((phys | length) & PAGE - 1) != 0 || length <= 0 || phys >>> (PAGE_SHIFT + Long.SIZE - RUN_BITS) != 0) {
      throw new IllegalArgumentException(
          "0x" + Long.toHexString(phys) + "+0x" + Long.toHexString(length) + " cannot be in a page list: ranges are whole pages of 0x1000 below 0x10000000000000");
    }
    long page = phys >>> PAGE_SHIFT;
    long left = length >>> PAGE_SHIFT;
    pages += left;
    if (count > before) {
      long last = runs[count - 1];
      long joined = Math.min(left, RUN_MASK - (last & RUN_MASK));
      if ((last >>> RUN_BITS) + (last & RUN_MASK) + 1 == page) {
        runs[count - 1] = last + joined;
        page += joined;
        left -= joined;
      }
    }
    while (left > 0) {
      long run = Math.min(left, RUN_MASK + 1);
      if (count == runs.length) {
        runs = Arrays.copyOf(runs, Math.max(16, count + (count >> 2)));
      }
      runs[count++] = (page << RUN_BITS) | (run - 1);
      page += run;
      left -= run;
    }
  }

  /** Return how many pages are listed. */
  public long pages() {
    return pages;
  }

  /** Return how many runs they are in. */
  public int runs() {
    return count;
  }

  /** Return the physical address of a run's first byte. */
  public long phys(int run) {
    return runs[run] >>> RUN_BITS << PAGE_SHIFT;
  }

  /** Return the bytes of a run. */
  public long length(int run) {
    return ((runs[run] & RUN_MASK) + 1) << PAGE_SHIFT;
  }

  /** Return the bytes of memory that the list takes. */
  public long listBytes() {
    return (long) runs.length * Long.BYTES;
  }

  /** Return a new cursor over the runs. */
  public PhysRanges ranges() {
    return new Cursor();
  }

  private final class Cursor implements PhysRanges {
    private int at;

    @Override
    public void rewind() {
      at = 0;
    }

    @Override
    public int fill(long[] phys, long[] length) {
      int filled = 0;
      while (filled < phys.length && filled < length.length && at < count) {
        phys[filled] = PageList.this.phys(at);
        length[filled++] = PageList.this.length(at++);
      }
      return filled;
    }
  }
}
