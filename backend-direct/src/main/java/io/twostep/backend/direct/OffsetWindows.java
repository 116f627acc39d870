package io.twostep.backend.direct;

import io.twostep.dma.spi.OffsetWindow;
import java.util.List;

/**
 * Translates between physical and DMA addresses by piecewise constant offsets; identity where there are no windows.
 *
 * <p>A range must lie wholly in one window. Windows overlap on neither side, so that the way back is unique. Immutable.
 */
final class OffsetWindows {
  /** No window holds the range. Not a DMA address: a range that began here would wrap, or be the one byte that is never mapped. */
  static final long NONE = -1L;

  private final long[] firstPhys;
  private final long[] firstDmaAddress;
  private final long[] length;

  /**
   * Takes over windows in any order.
   *
   * @throws IllegalArgumentException naming {@code space} if windows wrap around or overlap
   */
  OffsetWindows(String space, List<OffsetWindow> windows) {
    int count = windows.size();
    firstPhys = new long[count];
    firstDmaAddress = new long[count];
    length = new long[count];
    for (int i = 0; i < count; i++) {
      OffsetWindow window = windows.get(i);
      firstPhys[i] = window.firstPhys();
      firstDmaAddress[i] = window.firstDmaAddress();
      length[i] = window.length();
      if (wraps(firstPhys[i], length[i]) || wraps(firstDmaAddress[i], length[i])) {
        throw new IllegalArgumentException(space + ": offset " + text(i) + " wraps around the end of the address space");
      }
      for (int j = 0; j < i; j++) {
        if (overlap(firstPhys[i], length[i], firstPhys[j], length[j])
            || overlap(firstDmaAddress[i], length[i], firstDmaAddress[j], length[j])) {
          throw new IllegalArgumentException(
              space + ": offset " + text(i) + " overlaps " + text(j) + "; an address must have one translation");
        }
      }
    }
  }

  boolean isIdentity() {
    return length.length == 0;
  }

  /** Returns the DMA address of a range, or {@link #NONE}. */
  long dmaAddress(long phys, long bytes) {
    if (length.length == 0) {
      return phys;
    }
    int window = holding(firstPhys, phys, bytes);
    return window < 0 ? NONE : phys - firstPhys[window] + firstDmaAddress[window];
  }

  /** Returns the physical address behind a range of DMA addresses, or {@link #NONE}. */
  long phys(long dmaAddress, long bytes) {
    if (length.length == 0) {
      return dmaAddress;
    }
    int window = holding(firstDmaAddress, dmaAddress, bytes);
    return window < 0 ? NONE : dmaAddress - firstDmaAddress[window] + firstPhys[window];
  }

  private int holding(long[] first, long address, long bytes) {
    for (int i = 0; i < first.length; i++) {
      long offset = address - first[i];
      if (Long.compareUnsigned(offset, length[i]) < 0 && Long.compareUnsigned(bytes, length[i] - offset) <= 0) {
        return i;
      }
    }
    return -1;
  }

  private static boolean wraps(long first, long bytes) {
    return Long.compareUnsigned(first + (bytes - 1), first) < 0;
  }

  private static boolean overlap(long first, long bytes, long otherFirst, long otherBytes) {
    return Long.compareUnsigned(first, otherFirst + (otherBytes - 1)) <= 0
        && Long.compareUnsigned(otherFirst, first + (bytes - 1)) <= 0;
  }

  private String text(int i) {
    return "window 0x%x+0x%x at DMA address 0x%x".formatted(firstPhys[i], length[i], firstDmaAddress[i]);
  }
}
