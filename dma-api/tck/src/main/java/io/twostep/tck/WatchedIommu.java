package io.twostep.tck;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.tck.FaultPlan.Call;

/** Translation hardware that tells when it is asked to invalidate, and fails when told to. */
final class WatchedIommu extends ForwardingIommu {
  private final FaultPlan faults;
  volatile Runnable beforeInvalidation = () -> {};

  WatchedIommu(TableWalkingIommu real, FaultPlan faults) {
    super(real);
    this.faults = faults;
  }

  @Override
  public void publish(long firstIova, long lastIova) {
    if (faults.hits(Call.PUBLISH)) {
      throw new DmaMappingException(Reason.BACKEND, "tables could not be made visible: the kit says so");
    }
    super.publish(firstIova, lastIova);
  }

  @Override
  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
    if (faults.hits(Call.INVALIDATE)) {
      throw new DmaMappingException(Reason.QUARANTINED, "invalidation timed out: the kit says so");
    }
    beforeInvalidation.run();
    super.invalidate(firstIova, lastIova, tablesChanged);
  }
}
