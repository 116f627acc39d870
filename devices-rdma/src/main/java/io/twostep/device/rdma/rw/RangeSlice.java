package io.twostep.device.rdma.rw;

import io.twostep.dma.PhysRanges;

/** A part of other ranges: from some byte on, so many bytes. For transfers that take a scatter list or a vector in pieces; reusable. */
public final class RangeSlice implements PhysRanges {
  private final PhysRanges whole;
  private long from;
  private long bytes;
  private long skip;
  private long left;

  /** Create a slice of nothing; until told otherwise by {@link #of}. */
  public RangeSlice(PhysRanges whole) {
    this.whole = whole;
  }

  /**
   * Show bytes {@code offset .. offset + length}; what the whole does not have is left out.
   *
   * @throws IllegalArgumentException for a negative offset or length
   */
  public RangeSlice of(long offset, long length) {
    if (offset < 0 || length < 0) {
      throw new IllegalArgumentException("a slice of " + length + " bytes from " + offset + " on; neither may be negative");
    }
    from = offset;
    bytes = length;
    rewind();
    return this;
  }

  @Override
  public void rewind() {
    whole.rewind();
    skip = from;
    left = bytes;
  }

  @Override
  public int fill(long[] phys, long[] length) {
    int kept = 0;
    while (kept == 0 && left > 0) {
      int filled = whole.fill(phys, length);
      if (filled == 0) {
        return 0;
      }
      kept = keep(phys, length, filled);
    }
    return kept;
  }

  /** Move what belongs to the slice to the front. */
  private int keep(long[] phys, long[] length, int filled) {
    int kept = 0;
    for (int i = 0; i < filled && left > 0; i++) {
      if (skip >= length[i]) {
        skip -= length[i];
        continue;
      }
      long taken = Math.min(length[i] - skip, left);
      phys[kept] = phys[i] + skip;
      length[kept++] = taken;
      left -= taken;
      skip = 0;
    }
    return kept;
  }
}
