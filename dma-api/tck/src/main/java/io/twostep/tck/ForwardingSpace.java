package io.twostep.tck;

import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.SpaceOwner;
import java.util.List;
import java.util.Objects;

/**
 * Passes every call on to an address space: the base of spaces with other hardware or other members, which have the same owner because they are the same translations.
 *
 * <p>Forwards the defaulted methods too. Compared by identity, as every address space is.
 */
public class ForwardingSpace implements AddressSpace {
  /** What it stands before. */
  protected final AddressSpace real;

  /** Stand before {@code real}. */
  public ForwardingSpace(AddressSpace real) {
    this.real = Objects.requireNonNull(real, "real");
  }

  @Override
  public String name() {
    return real.name();
  }

  @Override
  public Translation translation() {
    return real.translation();
  }

  @Override
  public Iommu iommu() {
    return real.iommu();
  }

  @Override
  public SpaceOwner owner() {
    return real.owner();
  }

  @Override
  public List<DeviceSlot> members() {
    return real.members();
  }

  @Override
  public List<AddressRange> reserved() {
    return real.reserved();
  }

  @Override
  public List<OffsetWindow> offsetWindows() {
    return real.offsetWindows();
  }

  @Override
  public long busLimit() {
    return real.busLimit();
  }
}
