package io.twostep.dma.spi;

/**
 * A page-table format as one piece of hardware offers it.
 *
 * @param name {@code vtd-second-stage} or {@code amd-v1}, or a third party's own
 * @param minLevels fewest table levels the hardware accepts
 * @param maxLevels most table levels the hardware accepts
 * @param pageSizes bitmap of leaf sizes: bit n for 2^n bytes
 * @param physBits width of physical addresses in leaves
 * @param coherentWalk whether the walker sees CPU caches
 */
public record TableFormat(String name, int minLevels, int maxLevels, long pageSizes, int physBits, boolean coherentWalk) {
  /** Name of Intel VT-d's second-stage format. */
  public static final String VTD_SECOND_STAGE = "vtd-second-stage";

  /** Name of AMD's version 1 host format. */
  public static final String AMD_V1 = "amd-v1";

  /** Return the smallest leaf, bytes. */
  public long granule() {
    return Long.lowestOneBit(pageSizes);
  }
}
