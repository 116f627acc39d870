package io.twostep.backend.swiotlb;

import io.twostep.backend.swiotlb.pool.AreaSource;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.PhysicalMemory;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Where slots must lie for a device to reach them; devices of equal reach share slots.
 *
 * @param ranges physical ranges, highest first
 * @param placement what kind of memory
 */
record SlotReach(List<Range> ranges, MemoryPlacement placement) {
  /** Physical addresses, last inclusive. */
  record Range(long first, long last) {
    @Override
    public String toString() {
      return "0x%x..0x%x".formatted(first, last);
    }
  }

  /** Works out the reach of a device: anything behind an IOMMU, else what mask, bus and offset windows leave. */
  static SlotReach of(AttachContext context, boolean translates) {
    boolean coherent = context.slot().coherent();
    // Copies go to memory that no cache holds, so that slots never need maintenance, however they are cut.
    MemoryPlacement placement = coherent ? MemoryPlacement.CONTIGUOUS : MemoryPlacement.COHERENT;
    if (translates) {
      return new SlotReach(List.of(new Range(0, -1L)), placement);
    }
    long highest = context.highestAddress();
    long highestCoherent = context.limits().highestCoherentAddress();
    if (!coherent && Long.compareUnsigned(highestCoherent, highest) < 0) {
      highest = highestCoherent;
    }
    return new SlotReach(ranges(context, highest), placement);
  }

  private static List<Range> ranges(AttachContext context, long highest) {
    if (context.space().offsetWindows().isEmpty()) {
      return List.of(new Range(0, highest));
    }
    List<Range> ranges = new ArrayList<>();
    for (OffsetWindow window : context.space().offsetWindows()) {
      boolean keepsBits = (window.firstPhys() - window.firstDmaAddress() & context.limits().minAlignMask()) == 0;
      if (keepsBits && Long.compareUnsigned(window.firstDmaAddress(), highest) <= 0) {
        long beyond = highest - window.firstDmaAddress();
        long last = Long.compareUnsigned(beyond, window.length() - 1) < 0 ? beyond : window.length() - 1;
        ranges.add(new Range(window.firstPhys(), window.firstPhys() + last));
      }
    }
    ranges.sort(Comparator.comparing(Range::last, Long::compareUnsigned).reversed());
    return List.copyOf(ranges);
  }

  /** Returns the bytes of the largest range, as far as there is memory. */
  long largest(PhysicalMemory memory) {
    long largest = 0;
    for (Range range : ranges) {
      long last = Long.compareUnsigned(range.last, memory.highestAddress()) < 0 ? range.last : memory.highestAddress();
      if (Long.compareUnsigned(last, range.first) >= 0) {
        largest = Math.max(largest, last - range.first + 1);
      }
    }
    return largest;
  }

  /** Tells whether the machine has any memory within the reach, free or not. */
  boolean hasMemory(PhysicalMemory memory) {
    for (Range range : ranges) {
      if (Long.compareUnsigned(range.last, memory.lowestAddress()) >= 0 && Long.compareUnsigned(range.first, memory.highestAddress()) <= 0) {
        return true;
      }
    }
    return false;
  }

  /** Returns the ranges, for messages. */
  @Override
  public String toString() {
    return ranges.isEmpty() ? "no address at all" : ranges.stream().map(Range::toString).collect(Collectors.joining(", "));
  }

  /** Returns the source of areas within the reach. */
  AreaSource source(PhysicalMemory memory) {
    return length -> allocate(memory, length);
  }

  private @Nullable MemoryBlock allocate(PhysicalMemory memory, long length) {
    for (Range range : ranges) {
      try {
        return Long.compareUnsigned(range.first, memory.lowestAddress()) <= 0
            ? memory.allocate(length, placement, range.last)
            : memory.allocateWithin(length, placement, range.first, range.last);
      } catch (DmaMappingException e) {
        // Full there; a lower range may have room, and the caller names what was wanted.
      }
    }
    return null;
  }
}
