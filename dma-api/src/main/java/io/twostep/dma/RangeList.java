package io.twostep.dma;

import java.util.Arrays;

/** Ranges in arrays, with a place of its own to read from; several lists may share the arrays. */
final class RangeList implements PhysRanges {
  private static final int RUN = 64;

  private final long[] phys;
  private final long[] length;
  private int position;

  private RangeList(long[] phys, long[] length) {
    this.phys = phys;
    this.length = length;
  }

  static RangeList of(long[] physAndLength) {
    if (physAndLength.length % 2 != 0) {
      throw new IllegalArgumentException(physAndLength.length + " numbers are no list of ranges: each has an address and a length");
    }
    long[] phys = new long[physAndLength.length / 2];
    long[] length = new long[phys.length];
    for (int i = 0; i < phys.length; i++) {
      phys[i] = physAndLength[2 * i];
      length[i] = physAndLength[2 * i + 1];
    }
    return new RangeList(phys, length);
  }

  /** Copy what a source has now. */
  static RangeList copyOf(PhysRanges source) {
    long[] phys = {};
    long[] length = {};
    long[] runPhys = new long[RUN];
    long[] runLength = new long[RUN];
    source.rewind();
    for (int count = source.fill(runPhys, runLength); count > 0; count = source.fill(runPhys, runLength)) {
      int before = phys.length;
      phys = Arrays.copyOf(phys, before + count);
      length = Arrays.copyOf(length, before + count);
      System.arraycopy(runPhys, 0, phys, before, count);
      System.arraycopy(runLength, 0, length, before, count);
    }
    return new RangeList(phys, length);
  }

  /** Return a list of the same ranges for somebody else to read. */
  RangeList another() {
    return new RangeList(phys, length);
  }

  /** Return a list of the ranges that bytes {@code offset .. offset + bytes}, which must be within, are made of. */
  RangeList part(long offset, long bytes) {
    long[] partPhys = new long[phys.length];
    long[] partLength = new long[phys.length];
    int count = 0;
    long at = 0;
    for (int i = 0; i < phys.length; at += length[i++]) {
      long from = Math.max(offset, at);
      long to = Math.min(offset + bytes, at + length[i]);
      if (from < to) {
        partPhys[count] = phys[i] + (from - at);
        partLength[count++] = to - from;
      }
    }
    return new RangeList(Arrays.copyOf(partPhys, count), Arrays.copyOf(partLength, count));
  }

  int count() {
    return phys.length;
  }

  long phys(int i) {
    return phys[i];
  }

  long length(int i) {
    return length[i];
  }

  @Override
  public void rewind() {
    position = 0;
  }

  @Override
  public int fill(long[] toPhys, long[] toLength) {
    int filled = Math.min(phys.length - position, Math.min(toPhys.length, toLength.length));
    System.arraycopy(phys, position, toPhys, 0, filled);
    System.arraycopy(length, position, toLength, 0, filled);
    position += filled;
    return filled;
  }
}
