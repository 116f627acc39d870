package io.twostep.backend.iommu;

import io.twostep.backend.iommu.table.AmdV1;
import io.twostep.backend.iommu.table.VtdSecondStage;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The page table format of an address space: what the hardware offers, and the same as the page table code describes it.
 *
 * @param hardware the hardware's own description, to be named to it
 * @param format the description that the walker follows
 */
record FormatChoice(TableFormat hardware, io.twostep.backend.iommu.table.TableFormat format) {
  private static final List<String> KNOWN = List.of(TableFormat.VTD_SECOND_STAGE, TableFormat.AMD_V1);
  private static final int PAGE_SHIFT = 12;
  private static final int LEVEL_BITS = 9;
  private static final int MOST_PHYS_BITS = 52;
  private static final int VTD_FEWEST_LEVELS = 3;
  private static final int VTD_MOST_LEVELS = 5;
  private static final int AMD_FIRST_LEVELS = 3;

  /**
   * Chooses the first format of the hardware that is wanted and that can be written.
   *
   * @param wanted a format's name or {@link IommuConfig#AUTO}
   * @throws DmaMappingException UNSUPPORTED if there is none
   */
  static FormatChoice choose(String device, TableWalkingIommu iommu, String wanted) {
    int bits = Long.SIZE - Long.numberOfLeadingZeros(iommu.highestIova());
    for (TableFormat offered : iommu.formats()) {
      if (wanted.equals(IommuConfig.AUTO) || wanted.equals(offered.name())) {
        var format = describe(offered, bits, iommu.tracksDirty());
        if (format != null) {
          return new FormatChoice(offered, format);
        }
      }
    }
    throw new DmaMappingException(
        Reason.UNSUPPORTED,
        device + ": format=" + wanted + " cannot be had: the IOMMU reads " + iommu.formats() + ", this backend writes " + KNOWN);
  }

  /** Returns the smallest leaf that the hardware reads, bytes. */
  long smallestLeaf() {
    return Long.lowestOneBit(hardware.pageSizes() & format.pageSizes());
  }

  private static io.twostep.backend.iommu.table.@Nullable TableFormat describe(
      TableFormat offered, int bits, boolean dirty) {
    return switch (offered.name()) {
      case TableFormat.VTD_SECOND_STAGE -> vtd(offered, bits, dirty);
      case TableFormat.AMD_V1 -> amd(offered, bits, dirty);
      default -> null;
    };
  }

  private static io.twostep.backend.iommu.table.@Nullable TableFormat vtd(TableFormat offered, int bits, boolean dirty) {
    int fewest = Math.max(offered.minLevels(), VTD_FEWEST_LEVELS);
    int most = Math.min(offered.maxLevels(), VTD_MOST_LEVELS);
    long sizes = offered.pageSizes() & VtdSecondStage.ALL_PAGE_SIZES;
    if (fewest > most || sizes == 0) {
      return null;
    }
    int needed = (bits - PAGE_SHIFT + LEVEL_BITS - 1) / LEVEL_BITS;
    int levels = Math.clamp(needed, fewest, most);
    return VtdSecondStage.format(levels, physBits(offered), withWalkersPage(sizes), true, dirty, false);
  }

  private static io.twostep.backend.iommu.table.@Nullable TableFormat amd(TableFormat offered, int bits, boolean dirty) {
    long sizes = offered.pageSizes() & AmdV1.ALL_PAGE_SIZES;
    if (offered.minLevels() > AMD_FIRST_LEVELS || offered.maxLevels() < AMD_FIRST_LEVELS || sizes == 0) {
      return null;
    }
    int walkable = PAGE_SHIFT + LEVEL_BITS * offered.maxLevels();
    return AmdV1.format(Math.min(bits, walkable), physBits(offered), withWalkersPage(sizes), dirty);
  }

  /**
   * Adds the 4 KiB leaf, which the walker counts in, where the hardware lacks it: with a granule of the hardware's smallest leaf every range is aligned to
   * that, and a smaller leaf is never the best.
   */
  private static long withWalkersPage(long sizes) {
    return sizes | 1L << PAGE_SHIFT;
  }

  private static int physBits(TableFormat offered) {
    return Math.min(offered.physBits(), MOST_PHYS_BITS);
  }
}
