package io.twostep.machine.model.pci;

import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.machine.model.iommu.ModelIommu;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** What lies between the functions of a group and memory. */
public final class ModelSpace implements AddressSpace {
  /** What {@link #resolve} returns for a refused address. */
  static final long REFUSED = ModelIommu.REFUSED;

  private final SpaceOwner owner = new SpaceOwner();
  private final String name;
  private final Translation translation;
  private final int addressBits;
  private final @Nullable ModelIommu iommu;
  private final HostBridge bridge;
  private final boolean refusesBars;
  private final CopyOnWriteArrayList<ModelSlot> members = new CopyOnWriteArrayList<>();

  /**
   * Create a space.
   *
   * @param iommu there exactly for TRANSLATED
   * @param refusesBars whether bus addresses of BARs are refused before translation, because there is no tree that says where they lead
   */
  public ModelSpace(
      String name, Translation translation, int addressBits, @Nullable ModelIommu iommu, HostBridge bridge, boolean refusesBars) {
    this.name = name;
    this.translation = translation;
    this.addressBits = addressBits;
    this.iommu = iommu;
    this.bridge = bridge;
    this.refusesBars = refusesBars;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Translation translation() {
    return translation;
  }

  @Override
  public Iommu iommu() {
    if (iommu == null) {
      throw new IllegalStateException(name + ": no IOMMU translates here, it is " + translation);
    }
    return iommu;
  }

  @Override
  public SpaceOwner owner() {
    return owner;
  }

  @Override
  public List<DeviceSlot> members() {
    return List.copyOf(members);
  }

  @Override
  public List<AddressRange> reserved() {
    return bridge.reserved();
  }

  @Override
  public List<OffsetWindow> offsetWindows() {
    return translation == Translation.NONE ? bridge.inboundWindows() : List.of();
  }

  @Override
  public long busLimit() {
    return bridge.busLimit();
  }

  /** Return the width it was made with. */
  public int addressBits() {
    return addressBits;
  }

  /** Return the translation hardware, null if nothing translates. */
  public @Nullable ModelIommu hardware() {
    return iommu;
  }

  void join(ModelSlot slot) {
    members.add(slot);
  }

  void leave(ModelSlot slot) {
    members.remove(slot);
  }

  /** Return the physical address behind an access that stays inside a 4 KiB page, or {@link #REFUSED}; under the machine's lock. */
  long resolve(long dmaAddress, boolean write, DeviceAddress device) {
    if (Long.compareUnsigned(dmaAddress, bridge.busLimit()) > 0 || bridge.signals(dmaAddress)) {
      return refuse(dmaAddress, write, device);
    }
    if (refusesBars && bridge.claims(dmaAddress)) {
      return refuse(dmaAddress, write, device);
    }
    return switch (translation) {
      case TRANSLATED -> iommu == null ? REFUSED : iommu.translate(dmaAddress, write, device);
      case IDENTITY -> dmaAddress;
      case BLOCKED -> REFUSED;
      case NONE -> bridge.inbound(dmaAddress);
    };
  }

  /** Record an access that was refused behind translation, or for want of it; returns {@link #REFUSED}. */
  long refuse(long dmaAddress, boolean write, DeviceAddress device) {
    if (iommu != null) {
      iommu.refused(dmaAddress, write, device, Cause.RESERVED);
    }
    return REFUSED;
  }

  @Override
  public String toString() {
    return name + " (" + translation + ")";
  }
}
