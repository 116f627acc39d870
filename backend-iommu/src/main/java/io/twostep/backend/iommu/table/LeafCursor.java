package io.twostep.backend.iommu.table;

/**
 * Remembers the leaf table that a handle used last, so that the next link nearby need not walk from the root.
 *
 * <p>Lives in the handle that owns the range, belongs to one page table, and follows that handle's thread rules. It is
 * sound because no table inside a live reservation is freed; whoever frees the range's tables resets it.
 */
public final class LeafCursor {
  private static final long EMPTY = -1;

  private long region;
  private long table = EMPTY;

  /** Forgets the leaf table. */
  public void reset() {
    table = EMPTY;
  }

  /** Tells whether a leaf table is remembered that covers all of [first, last]. */
  boolean covers(long first, long last) {
    return (((first ^ region) | (last ^ region)) >>> TableTree.LEAF_TABLE_SHIFT) == 0 && table != EMPTY;
  }

  /** Returns the segment offset of the remembered leaf table. */
  long table() {
    return table;
  }

  void remember(long iova, long leafTable) {
    region = iova;
    table = leafTable;
  }
}
