package io.twostep.backend.iommu.table;

/**
 * Remembers the table in which a handle put leaves last, so that the next link nearby need not walk from the root.
 *
 * <p>Lives in the handle that owns the range, belongs to one page table, and follows that handle's thread rules. It is
 * sound because no table inside a live reservation is freed; whoever frees the range's tables resets it.
 */
public final class LeafCursor {
  private static final long EMPTY = -1;

  private long region;
  private long table = EMPTY;
  private int level;

  /** Forgets the table. */
  public void reset() {
    table = EMPTY;
  }

  /** Tells whether a table of {@code at} is remembered that covers all of [first, last]. */
  boolean covers(long first, long last, int at) {
    return (((first ^ region) | (last ^ region)) >>> TableTree.wordShift(at + 1)) == 0 && level == at && table != EMPTY;
  }

  /** Returns the segment offset of the remembered table. */
  long table() {
    return table;
  }

  void remember(long iova, int tableLevel, long tableOffset) {
    region = iova;
    level = tableLevel;
    table = tableOffset;
  }
}
