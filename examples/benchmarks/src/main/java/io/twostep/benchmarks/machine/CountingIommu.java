package io.twostep.benchmarks.machine;

import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/** Translation hardware reduced to counters, which threads do not share; tables live in one flat segment. */
public final class CountingIommu implements TableWalkingIommu {
  private static final ValueLayout.OfLong ENTRY = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long ADDRESS = (1L << 52) - (1L << 12);
  private static final long LARGE = 1L << 7;
  private static final long VTD_PAGES = 1L << 12 | 1L << 21 | 1L << 30;
  private static final long AMD_PAGES = (1L << 52) - (1L << 12) & ~(1L << 39);

  private final MemorySegment tables;
  private final long base;
  private final TableFormat format;
  private long root;
  private int depth;
  private final SpreadCounter invalidations = new SpreadCounter();
  private final SpreadCounter publishes = new SpreadCounter();

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
  public void setRoot(TableFormat chosen, long rootPhys, int levels) {
    root = rootPhys;
    depth = levels;
  }

  /** Walk the tables of the VT-d format, as the hardware does; the address must be mapped. */
  long walk(long iova) {
    long table = root;
    for (int level = depth - 1; ; level--) {
      int shift = 12 + 9 * level;
      long entry = tables.get(ENTRY, table - base + ((iova >>> shift) & 511) * 8);
      if ((entry & 3) == 0) {
        throw new IllegalStateException("0x" + Long.toHexString(iova) + " is not mapped");
      }
      long address = entry & ADDRESS;
      if (level == 0 || (entry & LARGE) != 0) {
        return address | (iova & ((1L << shift) - 1));
      }
      table = address;
    }
  }

  @Override
  public void clearRoot() {}

  /** Return how often it was told to forget translations. */
  public long invalidations() {
    return invalidations.sum();
  }

  /** Return how often it was told of new ones. */
  public long publishes() {
    return publishes.sum();
  }

  @Override
  public void publish(long firstIova, long lastIova) {
    publishes.increment();
  }

  @Override
  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
    invalidations.increment();
  }

  @Override
  public long highestIova() {
    return (1L << 48) - 1;
  }

  @Override
  public void onFault(FaultListener listener) {}
}
