package io.twostep.backend.swiotlb;

import io.twostep.dma.PhysRanges;

/** Ranges from two arrays. */
final class TestRanges implements PhysRanges {
  private final long[] phys;
  private final long[] length;
  private int next;

  TestRanges(long[] phys, long[] length) {
    this.phys = phys;
    this.length = length;
  }

  @Override
  public void rewind() {
    next = 0;
  }

  @Override
  public int fill(long[] physOut, long[] lengthOut) {
    int count = Math.min(phys.length - next, physOut.length);
    System.arraycopy(phys, next, physOut, 0, count);
    System.arraycopy(length, next, lengthOut, 0, count);
    next += count;
    return count;
  }
}
