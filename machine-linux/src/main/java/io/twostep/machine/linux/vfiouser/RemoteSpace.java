package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.SpaceOwner;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The served device's address space: mapped on request, or all of memory at fixed addresses. Compared by identity, as backends do. */
final class RemoteSpace implements AddressSpace {
  private final SpaceOwner owner = new SpaceOwner();
  private final String name;
  private final @Nullable HostManagedIommu onRequest;
  private final List<OffsetWindow> windows;
  private final DeviceSlot slot;

  /**
   * Describe it.
   *
   * @param onRequest what maps on request, null where memory is mapped once
   * @param windows where memory lies for the device, if it is mapped once
   */
  RemoteSpace(String name, @Nullable HostManagedIommu onRequest, List<OffsetWindow> windows, DeviceSlot slot) {
    this.name = name;
    this.onRequest = onRequest;
    this.windows = List.copyOf(windows);
    this.slot = slot;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Translation translation() {
    return onRequest == null ? Translation.NONE : Translation.TRANSLATED;
  }

  @Override
  public HostManagedIommu iommu() {
    HostManagedIommu found = onRequest;
    if (found == null) {
      throw new IllegalStateException(name + ": nothing translates; the machine has 'addressing' registered");
    }
    return found;
  }

  @Override
  public SpaceOwner owner() {
    return owner;
  }

  @Override
  public List<DeviceSlot> members() {
    return List.of(slot);
  }

  @Override
  public List<AddressRange> reserved() {
    return List.of();
  }

  @Override
  public List<OffsetWindow> offsetWindows() {
    return windows;
  }
}
