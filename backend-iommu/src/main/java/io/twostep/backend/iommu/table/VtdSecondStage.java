package io.twostep.backend.iommu.table;

/**
 * Describes the VT-d second-stage format.
 *
 * <pre>
 *  63  62        52 51              12 11  10  9  8  7   6..2  1  0
 * | - | software   | address          |SNP| - | D| A| PS|     | W| R|
 * </pre>
 *
 * A word is present when R or W is set. PS marks leaves above level 0. Pointers carry R and W; leaves decide. Intel VT-d
 * specification, section 9.8.
 */
public final class VtdSecondStage {
  /** Leaves of 4 KiB, 2 MiB and 1 GiB. */
  public static final long ALL_PAGE_SIZES = 1L << 12 | 1L << 21 | 1L << 30;

  private static final long READ = 1;
  private static final long WRITE = 1 << 1;
  private static final long PAGE_SIZE = 1 << 7;
  private static final long DIRTY = 1 << 9;
  private static final long SNOOP = 1 << 11;

  private VtdSecondStage() {}

  /**
   * Describes the format as one machine implements it.
   *
   * @param levels 3, 4 or 5, for I/O addresses of 39, 48 or 57 bits
   * @param outputBits the width of physical addresses, at most 52
   * @param pageSizes a subset of {@link #ALL_PAGE_SIZES}
   * @param snoopControl whether hardware knows the SNP bit
   * @param dirtyTracking whether hardware sets the D bit
   * @param neverReadOnly whether read-only leaves are broken in this hardware and must become writable
   */
  public static TableFormat format(
      int levels, int outputBits, long pageSizes, boolean snoopControl, boolean dirtyTracking, boolean neverReadOnly) {
    if (levels < 3 || levels > 5) {
      throw new IllegalArgumentException("VT-d second stage has 3 to 5 levels, not " + levels);
    }
    if ((pageSizes & ~ALL_PAGE_SIZES) != 0) {
      throw new IllegalArgumentException("VT-d second stage has no leaf sizes 0x" + Long.toHexString(pageSizes));
    }
    return new TableFormat(
        "VT-d second stage",
        12 + 9 * levels,
        outputBits,
        levels - 1,
        levels - 1,
        pageSizes,
        PAGE_SIZE,
        0,
        READ | WRITE,
        0,
        PAGE_SIZE,
        0,
        1,
        neverReadOnly ? READ | WRITE : READ,
        WRITE,
        snoopControl ? SNOOP : 0,
        dirtyTracking ? DIRTY : 0);
  }
}
