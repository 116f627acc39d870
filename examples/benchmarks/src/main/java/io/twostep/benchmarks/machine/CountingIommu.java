package io.twostep.benchmarks.machine;

import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Translation hardware reduced to counters; tables live in one flat segment. */
public final class CountingIommu implements TableWalkingIommu {
  private static final long VTD_PAGES = 1L << 12 | 1L << 21 | 1L << 30;
  private static final long AMD_PAGES = (1L << 52) - (1L << 12) & ~(1L << 39);

  private final MemorySegment tables;
  private final long base;
  private final TableFormat format;
  long invalidations;
  long publishes;

  CountingIommu(String formatName, MemorySegment tables, long base) {
    this.tables = tables;
    this.base = base;
    this.format =
        formatName.equals(TableFormat.AMD_V1)
            ? new TableFormat(TableFormat.AMD_V1, 3, 6, AMD_PAGES, 52, true)
            : new TableFormat(TableFormat.VTD_SECOND_STAGE, 4, 4, VTD_PAGES, 52, true);
  }

  @Override
  public List<TableFormat> formats() {
    return List.of(format);
  }

  @Override
  public MemorySegment tableView() {
    return tables;
  }

  @Override
  public long tableBase() {
    return base;
  }

  @Override
  public void setRoot(TableFormat chosen, long rootPhys, int levels) {}

  @Override
  public void clearRoot() {}

  @Override
  public void publish(long firstIova, long lastIova) {
    publishes++;
  }

  @Override
  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
    invalidations++;
  }

  @Override
  public long highestIova() {
    return (1L << 48) - 1;
  }

  @Override
  public void onFault(FaultListener listener) {}
}
