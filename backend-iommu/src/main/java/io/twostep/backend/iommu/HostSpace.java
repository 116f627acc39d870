package io.twostep.backend.iommu;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.HostManagedIommu;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** One address space that a host kernel translates: this backend hands out its I/O addresses, the host keeps its tables. Always strict. */
final class HostSpace extends SharedSpace {
  final HostManagedIommu iommu;

  HostSpace(AttachContext context, IommuConfig config, HostManagedIommu iommu) {
    List<AddressRange> windows = windows(context, iommu);
    super(
        context, config, granule(context, config, iommu), windows.getFirst().first(), lower(iommu.highestIova(), windows.getLast().last()));
    this.iommu = iommu;
    reserveGaps(windows);
  }

  private static List<AddressRange> windows(AttachContext context, HostManagedIommu iommu) {
    List<AddressRange> windows = new ArrayList<>(iommu.windows());
    windows.sort(Comparator.comparing(AddressRange::first, Long::compareUnsigned));
    if (windows.isEmpty()) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED, context.device() + ": the host allows no I/O addresses at all in " + context.space().name());
    }
    return windows;
  }

  private static long granule(AttachContext context, IommuConfig config, HostManagedIommu iommu) {
    if (config.granule() != 0 && config.granule() < iommu.granule()) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED,
          "%s: granule 0x%x is below 0x%x, the smallest page that the host maps in %s"
              .formatted(context.device(), config.granule(), iommu.granule(), context.space().name()));
    }
    return Math.max(config.granule(), iommu.granule());
  }

  private void reserveGaps(List<AddressRange> windows) {
    for (int i = 1; i < windows.size(); i++) {
      long first = windows.get(i - 1).last() + 1;
      long last = windows.get(i).first() - 1;
      if (Long.compareUnsigned(first, last) <= 0) {
        reserve(new AddressRange(first, last, "between the windows of the host"));
      }
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
    return new IommuStatistics(open(), ranges.liveRanges(), ranges.liveGranules() * granule, 0, 0, 0, leaks(), 0);
  }

  @Override
  void close() {
    countLeaks();
  }
}
