package io.twostep.examples.nvme;

import io.twostep.dma.PhysRanges;
import java.util.Arrays;

/** A list with an entry per range: where it is for the CPU, and after mapping where it is for the device. */
final class ScatterList {
  private static final int RUN = 16;

  long[] phys;
  long[] length;
  long[] dmaAddress;
  long[] dmaLength;
  int entries;
  int mapped;

  private final long[] runPhys = new long[RUN];
  private final long[] runLength = new long[RUN];

  /** Make a list; it grows if a request has more entries. */
  ScatterList(int expected) {
    phys = new long[expected];
    length = new long[expected];
    dmaAddress = new long[expected];
    dmaLength = new long[expected];
  }

  /** Copy a request into the list. */
  void take(PhysRanges source) {
    entries = 0;
    mapped = 0;
    source.rewind();
    for (int count = source.fill(runPhys, runLength); count > 0; count = source.fill(runPhys, runLength)) {
      while (entries + count > phys.length) {
        grow();
      }
      System.arraycopy(runPhys, 0, phys, entries, count);
      System.arraycopy(runLength, 0, length, entries, count);
      entries += count;
    }
  }

  private void grow() {
    int size = phys.length * 2;
    phys = Arrays.copyOf(phys, size);
    length = Arrays.copyOf(length, size);
    dmaAddress = Arrays.copyOf(dmaAddress, size);
    dmaLength = Arrays.copyOf(dmaLength, size);
  }

  /** Note where the device finds an entry; joined to the entry before if it follows at once. */
  void place(long address, long bytes, boolean join) {
    int last = mapped - 1;
    if (join && last >= 0 && dmaAddress[last] + dmaLength[last] == address) {
      dmaLength[last] += bytes;
    } else {
      dmaAddress[mapped] = address;
      dmaLength[mapped++] = bytes;
    }
  }
}
