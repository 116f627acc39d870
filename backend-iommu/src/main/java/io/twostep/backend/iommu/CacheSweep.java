package io.twostep.backend.iommu;

import io.twostep.backend.iommu.table.LeafAccess;
import io.twostep.backend.iommu.table.LeafVisitor;
import io.twostep.backend.iommu.table.RadixPageTable;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.PhysicalMemory;

/**
 * Maintains CPU caches for exactly the linked bytes of a range: finds the memory behind it in the page table, leaves out holes, peers and what shares a granule,
 * and joins what is adjacent.
 *
 * <p>Works on whole cache lines, which the rules at link guarantee to be owned. One thread at a time.
 */
final class CacheSweep implements LeafVisitor {
  private final RadixPageTable table;
  private final PhysicalMemory memory;
  private final long granuleMask;
  private final long lineMask;

  private PartialGranules partials;
  private long first;
  private long last;
  private int toward;
  private long openPhys;
  private long openLength;

  CacheSweep(RadixPageTable table, PhysicalMemory memory, long granule) {
    this.table = table;
    this.memory = memory;
    this.granuleMask = granule - 1;
    this.lineMask = memory.cacheLine() - 1;
    this.partials = new PartialGranules();
  }

  /** Moves ownership of what is linked in [first, last], rounded out to cache lines. */
  void move(long first, long last, int toward, PartialGranules partials) {
    this.partials = partials;
    this.first = first & ~lineMask;
    this.last = last | lineMask;
    this.toward = toward;
    openLength = 0;
    table.forEachLeaf(this.first, this.last, this);
    flush();
  }

  @Override
  public void leaf(long iova, long phys, long length, int access) {
    if (toward == DmaOps.TOWARD_CPU && (access & LeafAccess.WRITE) == 0) {
      return;
    }
    long from = Long.compareUnsigned(iova, first) < 0 ? first : iova;
    long leafLast = iova + (length - 1);
    long to = Long.compareUnsigned(leafLast, last) > 0 ? last : leafLast;
    if (partials.count() != 0) {
      long headGranule = from & ~granuleMask;
      long tailGranule = to & ~granuleMask;
      long linkedFrom = partials.first(headGranule);
      long linkedTo = partials.last(tailGranule, tailGranule | granuleMask);
      from = Long.compareUnsigned(linkedFrom, from) > 0 ? linkedFrom : from;
      to = Long.compareUnsigned(linkedTo, to) < 0 ? linkedTo : to;
      if (Long.compareUnsigned(from, to) > 0) {
        return;
      }
    }
    add(phys + (from - iova), to - from + 1);
  }

  private void add(long phys, long length) {
    if (openLength != 0 && phys == openPhys + openLength) {
      openLength += length;
      return;
    }
    flush();
    openPhys = phys;
    openLength = length;
  }

  private void flush() {
    if (openLength == 0) {
      return;
    }
    if (memory.regionOf(openPhys, 1).kind() == MemoryKind.RAM) {
      // Also for a device that only writes: a dirty line would be written back over what it wrote. And toward the CPU: what the device owns has no dirty line,
      // so one that is found belongs to memory that was linked and never handed over, or that the CPU took back and wrote.
      memory.cleanCache(openPhys, openLength);
      if (toward == DmaOps.TOWARD_CPU) {
        memory.invalidateCache(openPhys, openLength);
      }
    }
    openLength = 0;
  }
}
