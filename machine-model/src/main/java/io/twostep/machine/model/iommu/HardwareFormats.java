package io.twostep.machine.model.iommu;

import io.twostep.dma.spi.TableFormat;
import java.util.ArrayList;
import java.util.List;

/** Work out which formats, levels and leaf sizes hardware of some address width offers. */
public final class HardwareFormats {
  private static final int VTD_PHYS_BITS = 46;
  private static final int AMD_PHYS_BITS = 48;
  private static final int VTD_FEWEST_LEVELS = 3;
  private static final int VTD_MOST_LEVELS = 5;
  private static final long VTD_PAGES = (1L << 12) | (1L << 21) | (1L << 30);
  /** Every power of two from 4 KiB to 2^51 but 512 GiB, which an erratum excludes. */
  private static final long AMD_PAGES = ((1L << 52) - (1L << 12)) & ~(1L << 39);

  private HardwareFormats() {}

  /** Return the formats of {@code names}, in that order, that can be offered. */
  public static List<TableFormat> of(List<String> names, int addressBits, long smallestPage, long largestPage) {
    int levels = (addressBits - TableWalker.PAGE_SHIFT + TableWalker.LEVEL_BITS - 1) / TableWalker.LEVEL_BITS;
    long sizes = (largestPage << 1) - smallestPage;
    List<TableFormat> formats = new ArrayList<>();
    for (String name : names) {
      if (name.equals(TableFormat.VTD_SECOND_STAGE)) {
        if ((VTD_PAGES & sizes) != 0 && levels <= VTD_MOST_LEVELS) {
          int most = Math.max(levels, VTD_FEWEST_LEVELS);
          formats.add(new TableFormat(name, VTD_FEWEST_LEVELS, most, VTD_PAGES & sizes, VTD_PHYS_BITS, true));
        }
      } else if ((AMD_PAGES & sizes) != 0) {
        formats.add(new TableFormat(name, 1, levels, AMD_PAGES & sizes, AMD_PHYS_BITS, true));
      }
    }
    if (formats.isEmpty()) {
      throw new IllegalArgumentException(
          "none of " + names + " translates " + addressBits + " bits with leaves from " + smallestPage + " to " + largestPage + " bytes");
    }
    return formats;
  }
}
