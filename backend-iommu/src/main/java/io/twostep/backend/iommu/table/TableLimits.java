package io.twostep.backend.iommu.table;

/** Checks ranges against the widths of a format and rounds them out to the granule; unsigned and free of overflow. */
final class TableLimits {
  private final long granuleMask;
  private final long lastIova;
  private final int outputBits;
  private final long page;

  TableLimits(TableFormat format, long granule) {
    if (Long.bitCount(granule) != 1 || granule < 1L << TableTree.PAGE_SHIFT) {
      throw new IllegalArgumentException(
          format.name() + ": a granule of 0x" + Long.toHexString(granule) + " bytes is not a power of two from 4 KiB up");
    }
    this.granuleMask = granule - 1;
    this.lastIova = format.lastIova();
    this.outputBits = format.outputBits();
    this.page = granule == 1L << TableTree.PAGE_SHIFT ? granule : 0;
  }

  /** Tells whether a range is one granule of one 4 KiB page within the output width; the I/O address is not looked at beyond its alignment. */
  boolean isPage(long iova, long phys, long length) {
    return length == page && ((iova | phys) & granuleMask) == 0 && phys >>> outputBits == 0;
  }

  long roundDown(long address) {
    return address & ~granuleMask;
  }

  long roundUp(long last) {
    return last | granuleMask;
  }

  /** Returns bits that lie beyond the output width if, and only if, the rounded range leaves it. */
  long reach(long phys, long rangeLess1) {
    long start = roundDown(phys);
    return start | rangeLess1 | (start + rangeLess1);
  }

  /** Answers for a range of I/O addresses with what was gathered about its physical side. */
  int check(long iova, long last, long skew, long reach) {
    if (Long.compareUnsigned(last, iova) < 0 || Long.compareUnsigned(last, lastIova) > 0) {
      return TableResult.OUT_OF_BOUNDS;
    }
    if ((skew & granuleMask) != 0) {
      return TableResult.MISALIGNED;
    }
    return reach >>> outputBits == 0 ? TableResult.OK : TableResult.OUT_OF_REACH;
  }

  /** Answers for a range of I/O addresses alone. */
  boolean contains(long iova, long last) {
    return Long.compareUnsigned(iova, last) <= 0 && Long.compareUnsigned(last, lastIova) <= 0;
  }
}
