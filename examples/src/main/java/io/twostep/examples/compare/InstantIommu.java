package io.twostep.examples.compare;

import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Translation hardware that does what it is asked in no time, for measuring what the processor does: tables are written for real, where a modelled IOMMU would have
 * them, and nobody walks them.
 */
final class InstantIommu implements TableWalkingIommu, AddressSpace {
  private final TableWalkingIommu model;
  private final AddressSpace space;

  /** Stand in for the hardware of an address space. */
  InstantIommu(AddressSpace space) {
    this.space = space;
    model = (TableWalkingIommu) space.iommu();
  }

  @Override
  public List<TableFormat> formats() {
    return model.formats();
  }

  @Override
  public MemorySegment tableView() {
    return model.tableView();
  }

  @Override
  public long tableBase() {
    return model.tableBase();
  }

  @Override
  public void setRoot(TableFormat format, long rootPhys, int levels) {}

  @Override
  public void clearRoot() {}

  @Override
  public void publish(long firstIova, long lastIova) {}

  @Override
  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {}

  @Override
  public long highestIova() {
    return model.highestIova();
  }

  @Override
  public void onFault(FaultListener listener) {}

  @Override
  public String name() {
    return space.name();
  }

  @Override
  public Translation translation() {
    return space.translation();
  }

  @Override
  public Iommu iommu() {
    return this;
  }

  @Override
  public SpaceOwner owner() {
    return space.owner();
  }

  @Override
  public List<DeviceSlot> members() {
    return space.members();
  }

  @Override
  public List<AddressRange> reserved() {
    return space.reserved();
  }

  @Override
  public long busLimit() {
    return space.busLimit();
  }
}
