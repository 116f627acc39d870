package io.twostep.tck;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.tck.FaultPlan.Call;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Translation hardware that tells when it is asked to invalidate, and fails when told to. */
final class WatchedIommu implements TableWalkingIommu {
  private final TableWalkingIommu real;
  private final FaultPlan faults;
  volatile Runnable beforeInvalidation = () -> {};

  WatchedIommu(TableWalkingIommu real, FaultPlan faults) {
    this.real = real;
    this.faults = faults;
  }

  @Override
  public void publish(long firstIova, long lastIova) {
    if (faults.hits(Call.PUBLISH)) {
      throw new DmaMappingException(Reason.BACKEND, "tables could not be made visible: the kit says so");
    }
    real.publish(firstIova, lastIova);
  }

  @Override
  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
    if (faults.hits(Call.INVALIDATE)) {
      throw new DmaMappingException(Reason.QUARANTINED, "invalidation timed out: the kit says so");
    }
    beforeInvalidation.run();
    real.invalidate(firstIova, lastIova, tablesChanged);
  }

  @Override
  public long highestIova() {
    return real.highestIova();
  }

  @Override
  public void onFault(FaultListener listener) {
    real.onFault(listener);
  }

  @Override
  public List<TableFormat> formats() {
    return real.formats();
  }

  @Override
  public MemorySegment tableView() {
    return real.tableView();
  }

  @Override
  public long tableBase() {
    return real.tableBase();
  }

  @Override
  public boolean tracksDirty() {
    return real.tracksDirty();
  }

  @Override
  public void trackDirty(boolean on) {
    real.trackDirty(on);
  }

  @Override
  public void setRoot(TableFormat format, long rootPhys, int levels) {
    real.setRoot(format, rootPhys, levels);
  }

  @Override
  public void clearRoot() {
    real.clearRoot();
  }
}
