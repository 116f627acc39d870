package io.twostep.tck;

import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;

/**
 * Passes every call on to translation hardware: the base of hardware that a test watches, breaks or makes fail.
 *
 * <p>Forwards the defaulted methods too. As thread-safe as what it stands before.
 */
public class ForwardingIommu implements TableWalkingIommu {
  /** What it stands before. */
  protected final TableWalkingIommu real;

  /** Stand before {@code real}. */
  public ForwardingIommu(TableWalkingIommu real) {
    this.real = Objects.requireNonNull(real, "real");
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
  public void setRoot(TableFormat format, long rootPhys, int levels) {
    real.setRoot(format, rootPhys, levels);
  }

  @Override
  public void clearRoot() {
    real.clearRoot();
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
  public void publish(long firstIova, long lastIova) {
    real.publish(firstIova, lastIova);
  }

  @Override
  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
    real.invalidate(firstIova, lastIova, tablesChanged);
  }
}
