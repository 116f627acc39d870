package io.twostep.tck;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.tck.FaultPlan.Call;
import java.util.List;

/** A machine's own host-managed translations, which refuse and leave unconfirmed what they are told to. */
record WatchedHost(HostManagedIommu real, FaultPlan faults) implements HostManagedIommu {
  @Override
  public long granule() {
    return real.granule();
  }

  @Override
  public List<AddressRange> windows() {
    return real.windows();
  }

  @Override
  public long highestIova() {
    return real.highestIova();
  }

  @Override
  public long mappingSlots() {
    return real.mappingSlots();
  }

  @Override
  public boolean enforcesWriteOnly() {
    return real.enforcesWriteOnly();
  }

  @Override
  public void map(long iova, long phys, long length, int access) {
    if (faults.hits(Call.HOST_MAP)) {
      throw new DmaMappingException(Reason.PIN_LIMIT, "the host pins no more: the kit says so");
    }
    real.map(iova, phys, length, access);
  }

  @Override
  public long unmap(long iova, long length) {
    return faults.hits(Call.HOST_UNMAP) ? 0 : real.unmap(iova, length);
  }

  @Override
  public void onFault(FaultListener listener) {
    real.onFault(listener);
  }
}
