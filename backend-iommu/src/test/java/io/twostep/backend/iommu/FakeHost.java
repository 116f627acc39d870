package io.twostep.backend.iommu;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.HostManagedIommu;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A host kernel's IOMMU that refuses to cut a mapping, counts its calls, and fails when told to. */
final class FakeHost implements HostManagedIommu {
  private record Run(long phys, long length, int access) {}

  final TreeMap<Long, Run> runs = new TreeMap<>(Long::compareUnsigned);
  List<AddressRange> windows = List.of(new AddressRange(0, (1L << 39) - 1, "all"));
  long slots = 100;
  int mapCalls;
  int unmapCalls;
  int failMapAt;
  boolean shortUnmaps;

  /** How many unmaps from now on take the first half of a run only. */
  int halfUnmaps;

  boolean readsWhatIsWritten;

  @Override
  public long granule() {
    return 4096;
  }

  @Override
  public List<AddressRange> windows() {
    return windows;
  }

  @Override
  public long highestIova() {
    return (1L << 39) - 1;
  }

  @Override
  public boolean enforcesWriteOnly() {
    return !readsWhatIsWritten;
  }

  @Override
  public void onFault(FaultListener listener) {}

  @Override
  public long mappingSlots() {
    return slots - runs.size();
  }

  @Override
  public void map(long iova, long phys, long length, int access) {
    mapCalls++;
    if (mapCalls == failMapAt) {
      throw new DmaMappingException(Reason.PIN_LIMIT, "no more is pinned");
    }
    if (mappingSlots() == 0) {
      throw new DmaMappingException(Reason.MAPPING_SLOTS, "no slot is left");
    }
    Map.Entry<Long, Run> before = runs.lowerEntry(iova + length);
    if (((iova | phys | length) & 4095) != 0 || length == 0 || access == 0 || (before != null && before.getKey() + before.getValue().length > iova)) {
      throw new DmaMappingException(Reason.ALREADY_LINKED, "0000:01:00.0: bad or overlapping 0x%x+0x%x".formatted(iova, length));
    }
    runs.put(iova, new Run(phys, length, access));
  }

  @Override
  public long unmap(long iova, long length) {
    unmapCalls++;
    if (shortUnmaps) {
      return 0;
    }
    Run run = runs.get(iova);
    if (halfUnmaps > 0) {
      halfUnmaps--;
      long half = length / 2;
      runs.remove(iova);
      runs.put(iova + half, new Run(run.phys + half, length - half, run.access));
      return half;
    }
    Map.Entry<Long, Run> rest = runs.ceilingEntry(iova);
    if (run == null && rest != null && rest.getKey() + rest.getValue().length == iova + length) {
      runs.remove(rest.getKey());
      return rest.getValue().length;
    }
    if (run == null || run.length != length) {
      throw new IllegalStateException("0x%x+0x%x is not a whole run".formatted(iova, length));
    }
    runs.remove(iova);
    return length;
  }

  /** Returns what the device would reach, or -1. */
  long translate(long iova, int access) {
    Map.Entry<Long, Run> at = runs.floorEntry(iova);
    boolean hit = at != null && iova - at.getKey() < at.getValue().length && (at.getValue().access & access) == access;
    return hit ? at.getValue().phys + (iova - at.getKey()) : -1;
  }
}
