package io.twostep.dma;

/**
 * The caller's own scatter structure, seen in runs of physical ranges.
 *
 * <p>A source of up to 256 ranges, after adjacent ones were joined, is read once; a larger one a second time to map it; both in as few calls as the arrays
 * allow. A sync of a transfer may read it again, so that ranges must not change until the transfer made from them is unmapped. Implementations need not be thread-safe.
 */
public interface PhysRanges {
  /**
   * Return a source of ranges that are known beforehand.
   *
   * @param physAndLength first byte and bytes of each range, in turn
   * @throws IllegalArgumentException for an odd count
   */
  static PhysRanges of(long... physAndLength) {
    return RangeList.of(physAndLength);
  }

  /** Start again at the first range. */
  void rewind();

  /**
   * Fill the arrays with the next ranges, in order.
   *
   * @param phys receives the first byte's physical address of each range
   * @param length receives the bytes of each range, never 0
   * @return how many entries were filled; 0 means the end
   */
  int fill(long[] phys, long[] length);
}
