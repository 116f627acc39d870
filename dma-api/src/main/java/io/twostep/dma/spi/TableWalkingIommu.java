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

  /** Tell whether the hardware can set the dirty bit of a leaf when a device writes through it. */
  default boolean tracksDirty() {
    return false;
  }

  /**
   * Have dirty bits set, or no longer.
   *
   * <p>With {@code on}, and once an invalidation of everything has completed, the hardware sets a leaf's dirty bit, by an atomic update of an entry that is
   * present, before the first write through each translation that it caches; further writes through that cached translation leave the bit alone. Whoever
   * clears a bit therefore invalidates before trusting it again. Without, no bit is set once an invalidation of everything has completed.
   *
   * @throws UnsupportedOperationException unless {@link #tracksDirty}
   */
  default void trackDirty(boolean on) {
    throw new UnsupportedOperationException("this IOMMU sets no dirty bits");
  }

  /** Invalidate everything of this address space; returns when complete. */
  default void invalidateAll() {
    invalidate(0, -1L, true);
  }
}
