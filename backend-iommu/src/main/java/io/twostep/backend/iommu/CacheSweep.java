package io.twostep.backend.iommu;

import io.twostep.backend.iommu.table.LeafAccess;
import io.twostep.backend.iommu.table.LeafVisitor;
import io.twostep.backend.iommu.table.RadixPageTable;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Retirement;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Maintains CPU caches for exactly the linked bytes of a range: finds the memory behind it in the page table, leaves out holes, peers and what shares a granule,
 * and joins what is adjacent. What a teardown takes back it only finds, while the translations are there, and leaves to the retirement to do, after the invalidation.
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
  private @Nullable Retirement later;
  private @Nullable DmaOps owner;
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
    later = null;
    visit(first, last, toward, partials);
  }

  /** Registers with {@code batch} that what a device may have written in [first, last] is taken back by {@code owner} once nothing reaches it: one entry for each physical run. */
  void takeBackLater(long first, long last, PartialGranules partials, Retirement batch, DmaOps owner) {
    later = batch;
    this.owner = owner;
    try {
      visit(first, last, DmaOps.TOWARD_CPU, partials);
    } finally {
      later = null;
      this.owner = null;
    }
  }

  private void visit(long first, long last, int toward, PartialGranules partials) {
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
      Retirement batch = later;
      if (batch != null) {
        batch.retire(Retirement.COPY_OUT, Objects.requireNonNull(owner), openPhys, openLength, 0);
      } else if (toward == DmaOps.TOWARD_CPU) {
        takeBack(memory, openPhys, openLength);
      } else {
        // Also for a device that only writes: a dirty line would be written back over what it wrote.
        memory.cleanCache(openPhys, openLength);
      }
    }
    openLength = 0;
  }

  /**
   * Drops lines, so that the CPU reads what the device wrote.
   *
   * <p>Dirty ones are written back first: what the device owns has none, so one that is found belongs to memory that was linked and never handed over, or that the CPU
   * took back and wrote.
   */
  static void takeBack(PhysicalMemory memory, long phys, long length) {
    memory.cleanCache(phys, length);
    memory.invalidateCache(phys, length);
  }
}
