package io.twostep.examples.compare;

import java.util.Arrays;

/** Buffers as lists of physical ranges, in the order in which a program uses them. Immutable. */
public final class Layout {
  /** The most bytes a layout may have: they are all kept in memory while strategies are compared. */
  public static final long MOST_BYTES = 1L << 30;

  /** The most ranges a layout may have. */
  public static final int MOST_RANGES = 1 << 18;

  static final int PAGE = 4096;

  private final String source;
  private final long[] phys;
  private final long[] length;
  private final long bytes;

  private Layout(String source, long[] phys, long[] length, long bytes) {
    this.source = source;
    this.phys = phys;
    this.length = length;
    this.bytes = bytes;
  }

  /** Return where it comes from, for reports. */
  public String source() {
    return source;
  }

  /** Return the number of ranges. */
  public int ranges() {
    return phys.length;
  }

  /** Return the bytes of all ranges. */
  public long bytes() {
    return bytes;
  }

  /** Return the first byte of a range. */
  public long phys(int index) {
    return phys[index];
  }

  /** Return the bytes of a range. */
  public long length(int index) {
    return length[index];
  }

  /** Return how many pages of 4 KiB so many bytes fill, the last perhaps not to its end: what costs per page are divided by. */
  static long pages(long bytes) {
    return (bytes + PAGE - 1) / PAGE;
  }

  /** Collects ranges, and refuses those that cannot be. */
  static final class Builder {
    private final String source;
    private long[] phys = new long[64];
    private long[] length = new long[64];
    private int count;
    private long bytes;

    Builder(String source) {
      this.source = source;
    }

    /**
     * Add a range.
     *
     * @throws IllegalArgumentException naming the rule it breaks
     */
    Builder add(long from, long size) {
      if (size <= 0) {
        throw new IllegalArgumentException("length " + Long.toUnsignedString(size) + " must be from 1 to " + MOST_BYTES + " bytes");
      }
      if (Long.compareUnsigned(from + (size - 1), from) < 0) {
        throw new IllegalArgumentException("0x" + Long.toHexString(from) + "+0x" + Long.toHexString(size) + " goes beyond the last address");
      }
      if (size > MOST_BYTES - bytes) {
        throw new IllegalArgumentException("the ranges together exceed " + MOST_BYTES + " bytes; take a part of them");
      }
      if (count == MOST_RANGES) {
        throw new IllegalArgumentException("there are more than " + MOST_RANGES + " ranges; take a part of them");
      }
      if (count == phys.length) {
        phys = Arrays.copyOf(phys, 2 * count);
        length = Arrays.copyOf(length, 2 * count);
      }
      phys[count] = from;
      length[count++] = size;
      bytes += size;
      return this;
    }

    boolean isEmpty() {
      return count == 0;
    }

    Layout build() {
      return new Layout(source, Arrays.copyOf(phys, count), Arrays.copyOf(length, count), bytes);
    }
  }
}
