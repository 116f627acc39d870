package io.twostep.backend.iommu.table;

/**
 * Describes the AMD I/O page table format, version 1.
 *
 * <pre>
 *  63  62  61  60  59   52 51             12 11      9  8..7  6  5  4..1  0
 * | - | IW| IR| FC|   -   | address         | next     |     | D| A|     | PR|
 *                                             level
 * </pre>
 *
 * A next level of 0 is a leaf of one word, 7 a contiguous leaf that spans {@code 2^(13 + n)} bytes with {@code n} trailing
 * ones in the address, else a pointer from the table of that level. Permissions are anded down the walk. AMD I/O
 * Virtualization Technology specification, section 2.2.3.
 */
public final class AmdV1 {
  /** Every power of two from 4 KiB to 2 PiB but 512 GiB, which some hardware gets wrong. */
  public static final long ALL_PAGE_SIZES = ((1L << 52) - (1L << 12)) & ~(1L << 39);

  private static final long PRESENT = 1;
  private static final long DIRTY = 1 << 6;
  private static final long NEXT_LEVEL_STEP = 1 << 9;
  private static final long NEXT_LEVEL_MASK = 7 << 9;
  private static final long FORCE_COHERENT = 1L << 60;
  private static final long READ = 1L << 61;
  private static final long WRITE = 1L << 62;

  private static final int FIRST_TOP = 2;
  private static final int LAST_TOP = 5;

  private AmdV1() {}

  /**
   * Describes the format as one machine implements it: a root that starts at 39 bits and grows to {@code inputBits}.
   *
   * @param inputBits the width of I/O addresses, at most 64
   * @param outputBits the width of physical addresses, at most 52
   * @param pageSizes a subset of {@link #ALL_PAGE_SIZES}
   * @param dirtyTracking whether hardware sets the D bit
   */
  public static TableFormat format(int inputBits, int outputBits, long pageSizes, boolean dirtyTracking) {
    if ((pageSizes & ~ALL_PAGE_SIZES) != 0) {
      throw new IllegalArgumentException("AMDv1 has no leaf sizes 0x" + Long.toHexString(pageSizes));
    }
    return new TableFormat(
        "AMDv1",
        inputBits,
        outputBits,
        FIRST_TOP,
        LAST_TOP,
        pageSizes,
        NEXT_LEVEL_MASK,
        NEXT_LEVEL_STEP,
        PRESENT | READ | WRITE,
        PRESENT,
        0,
        NEXT_LEVEL_MASK,
        NEXT_LEVEL_MASK,
        READ,
        WRITE,
        FORCE_COHERENT,
        dirtyTracking ? DIRTY : 0);
  }
}
