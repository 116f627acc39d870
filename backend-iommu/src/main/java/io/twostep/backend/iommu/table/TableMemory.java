package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;

/**
 * Hands out the 4 KiB pages that tables are made of.
 *
 * <p>Thread-safe. Never waits for a device or for memory to be reclaimed.
 */
public interface TableMemory {
  /**
   * Stands for "no page". No physical address is this high, and as a table entry it is not present in any format, so it
   * can end a chain that runs through pages which hardware may still read.
   */
  long NONE = -4096L;

  /** Bytes of a page. */
  long PAGE = 4096;

  /** Returns the memory that holds every table page: the byte at {@code phys} lies at offset {@code phys - base()}. */
  MemorySegment segment();

  /** Returns the physical address of the segment's first byte, a multiple of 4 KiB. */
  long base();

  /** Allocates one zeroed 4 KiB page and returns its physical address, or {@link #NONE}. */
  long allocatePage();

  /** Takes back a page of {@link #allocatePage}; its content does not matter. */
  void freePage(long phys);
}
