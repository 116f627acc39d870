package io.twostep.dma;

/**
 * The caller's own scatter structure, seen in runs of physical ranges.
 *
 * <p>The mapping layer reads a source twice, once to size the request and once to map it, in as few calls as the arrays allow. Ranges
 * must not change until the mapping made from them is unmapped. Implementations need not be thread-safe.
 */
public interface PhysRanges {
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
