package io.twostep.guest.kit;

import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.dma.spi.Timers;
import io.twostep.tck.ForwardingSpace;
import java.util.List;

/**
 * The machine as the probe's own driver sees it: all memory lies at I/O addresses that were mapped once, the lane, which the stack that is proved never gets. So queues and buffers of
 * the probe need no backend, and stay when everything else in the address space comes and goes.
 */
record LaneMachine(Machine real, long phys, long length) implements Machine {
  /** Return where the lane is in an address space: the uppermost stretch as long as the memory, on a multiple of that. */
  AddressRange lane(AddressSpace space) {
    long first = ((HostManagedIommu) space.iommu()).highestIova() + 1 - length & -length;
    return new AddressRange(first, first + length - 1, "lane of the probe");
  }

  /** Map the lane. */
  void open(AddressSpace space) {
    ((HostManagedIommu) space.iommu()).map(lane(space).first(), phys, length, MapFlags.DEVICE_READS | MapFlags.DEVICE_WRITES);
  }

  /** Unmap everything else, whatever was left there. */
  void sweep(AddressSpace space) {
    ((HostManagedIommu) space.iommu()).unmap(0, lane(space).first());
  }

  @Override
  public String name() {
    return real.name();
  }

  @Override
  public PhysicalMemory memory() {
    return real.memory();
  }

  @Override
  public List<DeviceSlot> slots() {
    return real.slots();
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot slot) {
    AddressSpace space = real.addressSpaceFor(slot);
    return space.translation() == AddressSpace.Translation.TRANSLATED ? new LaneSpace(space, new OffsetWindow(phys, lane(space).first(), length)) : space;
  }

  @Override
  public Timers timers() {
    return real.timers();
  }

  @Override
  public void close() {
    real.close();
  }

  /** An address space in which nothing is translated on request. */
  private static final class LaneSpace extends ForwardingSpace {
    private final SpaceOwner owner = new SpaceOwner();
    private final OffsetWindow lane;

    LaneSpace(AddressSpace real, OffsetWindow lane) {
      super(real);
      this.lane = lane;
    }

    @Override
    public Translation translation() {
      return Translation.NONE;
    }

    @Override
    public Iommu iommu() {
      throw new IllegalStateException(name() + ": the lane is mapped once");
    }

    /** Return an owner of its own: the probe's driver and the proved stack never meet. */
    @Override
    public SpaceOwner owner() {
      return owner;
    }

    @Override
    public List<OffsetWindow> offsetWindows() {
      return List.of(lane);
    }
  }
}
