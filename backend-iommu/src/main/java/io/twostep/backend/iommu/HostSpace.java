package io.twostep.backend.iommu;

import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.IovaSpace;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.HostManagedIommu;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One address space that a host kernel translates: this backend hands out its I/O addresses, the host keeps its tables. Always strict. */
final class HostSpace extends SharedSpace {
  private static final Logger LOG = LoggerFactory.getLogger(HostSpace.class);

  final String name;
  final HostManagedIommu iommu;
  final long granule;
  final long highestIova;
  final long preferredIova;
  final boolean untrusted;
  final IovaAllocator iova;

  private long leaks;
  private boolean closed;

  HostSpace(AttachContext context, IommuConfig config, HostManagedIommu iommu) {
    name = context.space().name();
    this.iommu = iommu;
    untrusted = context.untrusted();
    granule = granule(context, config);
    List<AddressRange> windows = new ArrayList<>(iommu.windows());
    windows.sort(Comparator.comparing(AddressRange::first, Long::compareUnsigned));
    if (windows.isEmpty()) {
      throw new DmaMappingException(Reason.UNSUPPORTED, context.device() + ": the host allows no I/O addresses at all in " + name);
    }
    highestIova = TableSpace.lower(iommu.highestIova(), windows.getLast().last());
    preferredIova = config.iova32BitFirst() ? (1L << 32) - 1 : -1L;
    iova =
        new IovaAllocator(
            new IovaSpace(name, granule, windows.getFirst().first(), highestIova), 2 * Runtime.getRuntime().availableProcessors());
    reserveGaps(windows);
    for (AddressRange range : context.space().reserved()) {
      reserve(range.first(), range.last());
    }
  }

  private long granule(AttachContext context, IommuConfig config) {
    long wanted = Math.max(config.granule(), iommu.granule());
    if (config.granule() != 0 && config.granule() < iommu.granule()) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED,
          "%s: granule 0x%x is below 0x%x, the smallest page that the host maps in %s"
              .formatted(context.device(), config.granule(), iommu.granule(), name));
    }
    return wanted;
  }

  private void reserveGaps(List<AddressRange> windows) {
    for (int i = 1; i < windows.size(); i++) {
      long first = windows.get(i - 1).last() + 1;
      long last = windows.get(i).first() - 1;
      if (Long.compareUnsigned(first, last) <= 0) {
        reserve(first, last);
      }
    }
  }

  private void reserve(long first, long last) {
    if (!iova.tryReserve(first, last)) {
      throw new IllegalStateException("%s: cannot keep 0x%x..0x%x out of a fresh allocator".formatted(name, first, last));
    }
  }

  @Override
  DmaOps attach(AttachContext context, Runnable detached) {
    if (!context.slot().coherent()) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED, context.device() + ": it does not see CPU caches, and behind a host's IOMMU nothing here can maintain them");
    }
    return new HostOps(this, context, detached);
  }

  @Override
  IommuStatistics statistics() {
    var ranges = iova.statistics();
    return new IommuStatistics(closed ? 0 : 1, ranges.liveRanges(), ranges.liveGranules() * granule, 0, 0, 0, leaks, 0);
  }

  @Override
  void close() {
    closed = true;
    leaks = iova.statistics().liveRanges();
    if (leaks != 0) {
      LOG.warn("{}: {} ranges of I/O addresses were never given back", name, leaks);
    }
  }
}
