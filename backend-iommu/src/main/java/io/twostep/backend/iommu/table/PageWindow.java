package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Links, finds and unlinks single pages of one long-lived range without walking from the root, because it remembers every leaf table of the range.
 *
 * <p>For a range whose leaves are all of 4 KiB: no leaf table of it goes before the range is given back. Costs 8 bytes per 2 MiB. Threads may use it at the same
 * time for different pages.
 */
public final class PageWindow {
  /** The longest range that is worth its 8 bytes per 2 MiB, in bytes. */
  public static final long LONGEST = 1L << 37;

  private static final VarHandle TABLES = MethodHandles.arrayElementVarHandle(long[].class);

  private final TableTree tree;
  private final MemorySegment segment;
  private final LeafLinker linker;
  private final RangeClearer clearer;
  private final long firstRegion;

  /** One more than the offset of each leaf table; 0 where none was met yet. */
  private final long[] tables;

  PageWindow(TableTree tree, LeafLinker linker, RangeClearer clearer, long first, long last) {
    this.tree = tree;
    this.segment = tree.segment;
    this.linker = linker;
    this.clearer = clearer;
    firstRegion = first >>> TableTree.LEAF_TABLE_SHIFT;
    tables = new long[(int) ((last >>> TableTree.LEAF_TABLE_SHIFT) - firstRegion) + 1];
  }

  /**
   * Links a range as {@link RadixPageTable#map} does, if it is one page whose leaf table stands.
   *
   * @return false, with nothing changed, if {@link RadixPageTable#map} has to do it or to say why not
   */
  public boolean tryLink(long iova, long phys, long length, int access) {
    if (!linker.isPage(iova, phys, length, access)) {
      return false;
    }
    long table = leafTable(iova);
    return table >= 0 && linker.tryLinkPage(table, iova, phys, access);
  }

  /** Unlinks the page at {@code iova}; false if nothing is linked there. */
  public boolean tryUnlink(long iova) {
    long table = leafTable(iova);
    if (table < 0) {
      return false;
    }
    long slot = TableTree.slot(table, 0, iova);
    if (TableTree.word(segment, slot) == 0) {
      return false;
    }
    clearer.zero(slot, 1, iova, 0);
    return true;
  }

  /** Returns what {@code iova} translates to, or {@link TableMemory#NONE}. */
  public long lookup(long iova) {
    long table = leafTable(iova);
    long word = table < 0 ? 0 : TableTree.word(segment, TableTree.slot(table, 0, iova));
    return word == 0 ? TableMemory.NONE : (word & TableFormat.ADDRESS_MASK) | (iova & (TableMemory.PAGE - 1));
  }

  private long leafTable(long iova) {
    int region = (int) ((iova >>> TableTree.LEAF_TABLE_SHIFT) - firstRegion);
    long known = (long) TABLES.getAcquire(tables, region);
    return known != 0 ? known - 1 : find(iova, region);
  }

  private long find(long iova, int region) {
    long table = tree.find(iova, 0);
    if (table >= 0) {
      TABLES.setRelease(tables, region, table + 1);
    }
    return table;
  }
}
