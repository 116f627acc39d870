package io.twostep.backend.p2p;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.SpaceOwner;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * One device's address space as a host kernel keeps it: whole runs, no tables to see; peers below the same switch are reached before it, as on a real fabric.
 *
 * <p>The device's accesses pass {@link #translate}, and what that lets through reaches the modelled bus, where nothing else translates.
 */
final class HostedSpace implements AddressSpace, HostManagedIommu {
  private static final long HIGHEST = (1L << 39) - 1;

  private record Run(long phys, long length, int access) {}

  private final long granule;
  private final TreeMap<Long, Run> runs = new TreeMap<>();
  private @Nullable AddressSpace model;
  private @Nullable AddressRange peers;

  /** Maps that the host refuses from now on, until it refuses one; -1 for none. */
  int mapsUntilRefusal = -1;

  /** Unmaps that the host does not confirm. */
  int stuck;

  HostedSpace(long granule) {
    this.granule = granule;
  }

  /** Take the place of a space; {@code peers} are the bus addresses that the switch above the device claims. */
  void replace(AddressSpace replaced, AddressRange claimed) {
    model = replaced;
    peers = claimed;
  }

  private AddressSpace model() {
    AddressSpace replaced = model;
    if (replaced == null) {
      throw new IllegalStateException("replaces nothing yet");
    }
    return replaced;
  }

  synchronized int mappings() {
    return runs.size();
  }

  @Override
  public String name() {
    return "hosted " + model().name();
  }

  @Override
  public Translation translation() {
    return Translation.TRANSLATED;
  }

  @Override
  public Iommu iommu() {
    return this;
  }

  @Override
  public SpaceOwner owner() {
    return model().owner();
  }

  @Override
  public List<DeviceSlot> members() {
    return model().members();
  }

  @Override
  public List<AddressRange> reserved() {
    return model().reserved();
  }

  @Override
  public long granule() {
    return granule;
  }

  @Override
  public List<AddressRange> windows() {
    return List.of(new AddressRange(0, HIGHEST, "all that the host translates"));
  }

  @Override
  public long highestIova() {
    return HIGHEST;
  }

  @Override
  public void onFault(FaultListener listener) {}

  @Override
  public synchronized long mappingSlots() {
    return 10_000 - runs.size();
  }

  @Override
  public synchronized void map(long iova, long phys, long length, int access) {
    if (mapsUntilRefusal >= 0 && mapsUntilRefusal-- == 0) {
      throw new DmaMappingException(Reason.PIN_LIMIT, "no more is pinned");
    }
    Map.Entry<Long, Run> before = runs.lowerEntry(iova + length);
    if (((iova | phys | length) & granule - 1) != 0 || length <= 0 || access == 0 || (before != null && before.getKey() + before.getValue().length > iova)) {
      throw new IllegalStateException("bad or overlapping 0x%x+0x%x".formatted(iova, length));
    }
    runs.put(iova, new Run(phys, length, access));
  }

  @Override
  public synchronized long unmap(long iova, long length) {
    if (stuck > 0) {
      stuck--;
      return 0;
    }
    Run run = runs.get(iova);
    if (run == null || run.length != length) {
      throw new IllegalStateException("0x%x+0x%x is no whole run".formatted(iova, length));
    }
    runs.remove(iova);
    return length;
  }

  /** Return what stands between the device and the bus. */
  BusMaster translate(BusMaster bus) {
    return new BusMaster() {
      @Override
      public int read(long dmaAddress, MemorySegment target, long offset, long length) {
        return pieces(dmaAddress, length, 1, (address, at, bytes) -> bus.read(address, target, offset + at, bytes));
      }

      @Override
      public int write(long dmaAddress, MemorySegment source, long offset, long length) {
        return pieces(dmaAddress, length, 2, (address, at, bytes) -> bus.write(address, source, offset + at, bytes));
      }
    };
  }

  private interface Access {
    int move(long address, long at, long bytes);
  }

  private int pieces(long dmaAddress, long length, int access, Access move) {
    int status = BusMaster.OK;
    for (long at = 0; at < length && status == BusMaster.OK; ) {
      long address = dmaAddress + at;
      long bytes = Math.min(length - at, granule - (address & granule - 1));
      AddressRange claimed = peers;
      long target = claimed != null && claimed.first() <= address && address <= claimed.last() ? address : physOf(address, access);
      status = target == -1 ? BusMaster.UNSUPPORTED_REQUEST : move.move(target, at, bytes);
      at += bytes;
    }
    return status;
  }

  private synchronized long physOf(long iova, int access) {
    Map.Entry<Long, Run> run = runs.floorEntry(iova);
    boolean mapped = run != null && iova - run.getKey() < run.getValue().length && (run.getValue().access & access) != 0;
    return mapped ? run.getValue().phys + (iova - run.getKey()) : -1;
  }
}
