package io.twostep.backend.p2p;

import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.Iommu;
import io.twostep.tck.FaultPlan;
import io.twostep.tck.ForwardingSpace;
import io.twostep.tck.HostTable;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** One device's address space as a host kernel keeps it; peers below the same switch are reached before it, as on a real fabric. */
final class HostedSpace extends ForwardingSpace {
  /** What makes calls to the host fail. */
  final FaultPlan faults = new FaultPlan();

  private final HostTable table;
  private @Nullable AddressRange peers;

  /** Stand before a space in which nothing translates. */
  HostedSpace(AddressSpace real, long granule) {
    super(real);
    table = new HostTable(faults, granule);
  }

  /** Have accesses to the bus addresses that the switch above the device claims go there. */
  void claim(AddressRange busAddresses) {
    peers = busAddresses;
  }

  int mappings() {
    return table.mappings();
  }

  @Override
  public String name() {
    return "hosted " + real.name();
  }

  @Override
  public Translation translation() {
    return Translation.TRANSLATED;
  }

  @Override
  public Iommu iommu() {
    return table;
  }

  /** Return what stands between the device and the bus. */
  BusMaster translate(BusMaster bus) {
    BusMaster hosted = table.translate(bus);
    return new BusMaster() {
      @Override
      public int read(long dmaAddress, MemorySegment target, long offset, long length) {
        return wayTo(dmaAddress).read(dmaAddress, target, offset, length);
      }

      @Override
      public int write(long dmaAddress, MemorySegment source, long offset, long length) {
        return wayTo(dmaAddress).write(dmaAddress, source, offset, length);
      }

      private BusMaster wayTo(long dmaAddress) {
        AddressRange claimed = peers;
        return claimed != null && claimed.first() <= dmaAddress && dmaAddress <= claimed.last() ? bus : hosted;
      }
    };
  }
}
