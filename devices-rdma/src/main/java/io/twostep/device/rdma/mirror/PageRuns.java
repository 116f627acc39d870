package io.twostep.device.rdma.mirror;

import java.util.Arrays;

/**
 * What a range of pages was at one moment: runs of pages that lie one behind the other in memory with one permission. Reused by its owner; not thread-safe.
 */
public final class PageRuns {
  /** The pages of the run are in memory. */
  public static final int PRESENT = 1;

  /** The process may write the pages of the run as they are. */
  public static final int WRITABLE = 2;

  /** The pages of the run are huge. */
  public static final int HUGE = 4;

  private long[] phys = new long[8];
  private long[] length = new long[8];
  private byte[] flags = new byte[8];
  private int count;
  private int lastChunk;

  /** Create an empty snapshot. */
  public PageRuns() {}

  void clear() {
    count = 0;
  }

  /** Add pages behind the last ones; {@code chunk} names the allocation they belong to, which no run crosses. */
  void add(long firstPhys, long bytes, int runFlags, int chunk) {
    int last = count - 1;
    if (count > 0 && flags[last] == runFlags && (runFlags == 0 || (chunk == lastChunk && phys[last] + length[last] == firstPhys))) {
      length[last] += bytes;
      return;
    }
    if (count == phys.length) {
      phys = Arrays.copyOf(phys, count * 2);
      length = Arrays.copyOf(length, count * 2);
      flags = Arrays.copyOf(flags, count * 2);
    }
    phys[count] = firstPhys;
    length[count] = bytes;
    flags[count] = (byte) runFlags;
    lastChunk = chunk;
    count++;
  }

  /** Return how many runs there are. */
  public int count() {
    return count;
  }

  /** Return the physical address of a run's first byte; meaningless for an absent one. */
  public long phys(int run) {
    return phys[run];
  }

  /** Return the bytes of a run. */
  public long length(int run) {
    return length[run];
  }

  /** Return {@link #PRESENT}, {@link #WRITABLE} and {@link #HUGE} of a run; 0 for absent pages. */
  public int flags(int run) {
    return flags[run];
  }

  /** Tell whether the pages of a run are in memory. */
  public boolean isPresent(int run) {
    return (flags[run] & PRESENT) != 0;
  }

  /** Tell whether the process may write the pages of a run as they are. */
  public boolean isWritable(int run) {
    return (flags[run] & WRITABLE) != 0;
  }
}
