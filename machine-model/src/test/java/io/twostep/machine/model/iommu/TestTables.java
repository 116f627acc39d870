package io.twostep.machine.model.iommu;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/** The plainest possible writer of page tables, for tests: no allocator, no clearing up, no cleverness. */
public final class TestTables {
  public static final int READ = 1;
  public static final int WRITE = 2;
  public static final int RW = 3;

  private final PhysicalMemory memory;
  private final TableWalkingIommu iommu;
  private final boolean amd;
  private final int levels;
  private final Map<Long, MemoryBlock> blocks = new HashMap<>();
  private final long root;

  public TestTables(PhysicalMemory memory, TableWalkingIommu iommu, String format, int levels) {
    this.memory = memory;
    this.iommu = iommu;
    this.amd = format.equals(TableFormat.AMD_V1);
    this.levels = levels;
    root = newTable();
    TableFormat chosen = iommu.formats().stream().filter(f -> f.name().equals(format)).findFirst().orElseThrow();
    iommu.setRoot(chosen, root, levels);
  }

  /** Map a leaf of 2^shift bytes, 12, 21 or 30. */
  public void map(long iova, long phys, int shift, int access) {
    int level = (shift - 12) / 9;
    long table = root;
    for (int at = levels - 1; at > level; at--) {
      table = descend(table, iova, at);
    }
    long leaf = amd ? phys | 1 | ((long) access << 61) : phys | access | (level > 0 ? 1 << 7 : 0);
    set(table, index(iova, level), leaf);
  }

  public void map(long iova, long phys, int access) {
    map(iova, phys, 12, access);
  }

  /** Clear the item of a leaf of 2^shift bytes. */
  public void unmap(long iova, int shift) {
    int level = (shift - 12) / 9;
    set(table(iova, level), index(iova, level), 0);
  }

  public void unmap(long iova) {
    unmap(iova, 12);
  }

  /** Take the leaf table below {@code iova} out of the tree and return the block it lives in. */
  public MemoryBlock detachLeafTable(long iova) {
    long table = table(iova, 0);
    set(table(iova, 1), index(iova, 1), 0);
    return blocks.remove(table);
  }

  /** Return the leaf item of {@code iova}. */
  public long item(long iova, int level) {
    return view(table(iova, level)).get(ValueLayout.JAVA_LONG, 8L * index(iova, level));
  }

  public void close() {
    blocks.values().forEach(MemoryBlock::close);
  }

  private long table(long iova, int level) {
    long table = root;
    for (int at = levels - 1; at > level; at--) {
      table = view(table).get(ValueLayout.JAVA_LONG, 8L * index(iova, at)) & 0xf_ffff_ffff_f000L;
    }
    return table;
  }

  private long descend(long table, long iova, int level) {
    int index = index(iova, level);
    long item = view(table).get(ValueLayout.JAVA_LONG, 8L * index);
    if (item == 0) {
      long next = newTable();
      item = amd ? next | 1 | ((long) level << 9) | (3L << 61) : next | 3;
      set(table, index, item);
    }
    return item & 0xf_ffff_ffff_f000L;
  }

  private long newTable() {
    MemoryBlock block = memory.allocate(4096, MemoryPlacement.CONTIGUOUS);
    blocks.put(block.phys(0), block);
    return block.phys(0);
  }

  private void set(long table, int index, long item) {
    view(table).set(ValueLayout.JAVA_LONG, 8L * index, item);
  }

  private MemorySegment view(long table) {
    return iommu.tableView().asSlice(table - iommu.tableBase(), 4096);
  }

  private static int index(long iova, int level) {
    return (int) (iova >>> (12 + 9 * level)) & 511;
  }
}
