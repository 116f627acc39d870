package io.twostep.dma.spi;

import java.util.List;

/**
 * Translation hardware that walks page tables in memory; the backend owns the tables.
 *
 * <p>Thread-safe. Stores to tables are seen only after {@link #publish}; removals only after {@link #invalidate}.
 */
public non-sealed interface TableWalkingIommu extends Iommu, Invalidator {
  /** Return the table formats the hardware reads, preferred first. */
  List<TableFormat> formats();

  /**
   * Return the CPU's flat view of the memory that tables live in: byte at offset {@code phys - tableBase()}.
   *
   * <p>Valid for contiguous blocks of {@link PhysicalMemory} only.
   */
  java.lang.foreign.MemorySegment tableView();

  /** Return the physical address of byte 0 of {@link #tableView}. */
  long tableBase();

  /**
   * Give the hardware the root of the tables; until then everything faults. Growing the top is allowed at any time and needs no invalidation.
   *
   * @param format one of {@link #formats}
   * @param rootPhys physical address of the top table
   * @param levels number of table levels, the top included
   */
  void setRoot(TableFormat format, long rootPhys, int levels);

  /** Take the tables away; everything faults from when this returns. */
  void clearRoot();

  /** Make table stores for the range visible; returns when that is complete. Bytes, last inclusive. */
  void publish(long firstIova, long lastIova);

  /** Invalidate everything of this address space; returns when complete. */
  default void invalidateAll() {
    invalidate(0, -1L, true);
  }
}
