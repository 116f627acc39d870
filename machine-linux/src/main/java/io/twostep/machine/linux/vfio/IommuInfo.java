package io.twostep.machine.linux.vfio;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import io.twostep.dma.spi.AddressRange;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What a container's IOMMU can do.
 *
 * @param pageSizes sizes of pages as bits
 * @param windows I/O addresses that may be mapped, in order
 * @param mappingsLeft how many mappings the container takes before it is full
 */
public record IommuInfo(long pageSizes, List<AddressRange> windows, long mappingsLeft) {
  private static final long PAGE = 4096;
  private static final AddressRange UNKNOWN = new AddressRange(0, (1L << 39) - 1, "IOVA window, of a kernel that tells none");

  /** The module parameter's default, for a kernel that does not tell. */
  private static final long USUAL_LIMIT = 65535;

  /** Copy the list. */
  public IommuInfo {
    windows = List.copyOf(windows);
  }

  static IommuInfo of(MemorySegment info) {
    int flags = info.get(JAVA_INT, IommuInfoLayout.FLAGS);
    long pageSizes = (flags & IommuInfoLayout.HAS_PAGE_SIZES) == 0 ? PAGE : info.get(JAVA_LONG, IommuInfoLayout.PAGE_SIZES);
    long first = (flags & IommuInfoLayout.HAS_CAPABILITIES) == 0 ? 0 : info.get(JAVA_INT, IommuInfoLayout.FIRST_CAPABILITY);
    return new IommuInfo(pageSizes, windows(info, first), mappingsLeft(info, first));
  }

  private static List<AddressRange> windows(MemorySegment info, long first) {
    long at = InfoReader.capability(info, first, IommuInfoLayout.CAPABILITY_WINDOWS);
    if (at == InfoReader.NONE) {
      return List.of(UNKNOWN);
    }
    long count = Integer.toUnsignedLong(info.get(JAVA_INT_UNALIGNED, at + IommuInfoLayout.WINDOWS));
    List<AddressRange> windows = new ArrayList<>();
    for (long i = 0; i < count; i++) {
      long window = at + IommuInfoLayout.FIRST_WINDOW + i * IommuInfoLayout.WINDOW_SIZE;
      windows.add(new AddressRange(info.get(JAVA_LONG_UNALIGNED, window), info.get(JAVA_LONG_UNALIGNED, window + IommuInfoLayout.WINDOW_LAST), "IOVA window"));
    }
    windows.sort(Comparator.comparing(AddressRange::first, Long::compareUnsigned));
    return windows;
  }

  private static long mappingsLeft(MemorySegment info, long first) {
    long at = InfoReader.capability(info, first, IommuInfoLayout.CAPABILITY_MAPPINGS_LEFT);
    return at == InfoReader.NONE ? USUAL_LIMIT : Integer.toUnsignedLong(info.get(JAVA_INT_UNALIGNED, at + IommuInfoLayout.MAPPINGS_LEFT));
  }

  /** Return the smallest page, bytes. */
  public long granule() {
    return Math.max(PAGE, Long.lowestOneBit(pageSizes));
  }
}
