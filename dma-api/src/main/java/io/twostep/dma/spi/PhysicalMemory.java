package io.twostep.dma.spi;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import java.lang.foreign.MemorySegment;

/**
 * The machine's memory, addressed by physical address: unsigned 64 bits, the machine's own notion.
 *
 * <p>Thread-safe. The CPU's accesses through the methods here and through {@link MemoryBlock#segment} are one view.
 */
public interface PhysicalMemory {
  /** Return the frame size, bytes, a power of two: the CPU's page. */
  long frameSize();

  /** Return an address below which there is no memory; 0 where that is not known. */
  default long lowestAddress() {
    return 0;
  }

  /** Return the highest physical address of memory, inclusive. */
  long highestAddress();

  /**
   * Return the region that holds the whole range, or {@link MemoryRegion#ABSENT} if none does.
   *
   * <p>Allocates nothing; on the mapping path of every range.
   */
  MemoryRegion regionOf(long phys, long length);

  /**
   * Allocate zeroed memory.
   *
   * @param length bytes, positive; rounded up to whole frames
   * @throws DmaMappingException NOT_BACKED if no frames are left, naming what was asked and what is free
   */
  default MemoryBlock allocate(long length, MemoryPlacement placement) {
    return allocate(length, placement, -1L);
  }

  /** Allocate zeroed memory none of whose bytes lies above {@code highestPhys}. */
  MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys);

  /**
   * Allocate zeroed contiguous memory none of whose bytes lies below {@code lowestPhys} or above {@code highestPhys}.
   *
   * <p>As it stands here it refuses what {@link #allocate(long, MemoryPlacement, long)} finds below: a machine that has devices with offset windows looks between the bounds.
   *
   * @param placement one of those that are contiguous
   * @throws DmaMappingException NOT_BACKED if there is none
   * @throws IllegalArgumentException for scattered memory
   */
  default MemoryBlock allocateWithin(long length, MemoryPlacement placement, long lowestPhys, long highestPhys) {
    if (placement == MemoryPlacement.SCATTERED) {
      throw new IllegalArgumentException("scattered frames cannot be had within bounds");
    }
    MemoryBlock block = allocate(length, placement, highestPhys);
    if (Long.compareUnsigned(block.phys(0), lowestPhys) >= 0) {
      return block;
    }
    block.close();
    throw new DmaMappingException(
        Reason.NOT_BACKED, "no contiguous memory of 0x%x bytes was found from 0x%x to 0x%x; close blocks".formatted(length, lowestPhys, highestPhys));
  }

  /**
   * Return the CPU's view of a physical range that is contiguous in that view, such as a part of one contiguous block.
   *
   * @throws IllegalArgumentException if the range is not contiguous for the CPU
   */
  MemorySegment segment(long phys, long length);

  /** Copy physical memory into {@code target} at {@code offset}, whatever frames lie below. */
  void read(long phys, MemorySegment target, long offset, long length);

  /** Copy bytes of {@code source} from {@code offset} into physical memory. */
  void write(long phys, MemorySegment source, long offset, long length);

  /**
   * Fill the arrays with the physical ranges behind {@code segment} from byte {@code offset} on, adjacent frames joined.
   *
   * @return entries filled; 0 at the end of the segment; -1 if the segment is not, or not wholly, this machine's memory
   */
  int ranges(MemorySegment segment, long offset, long[] phys, long[] length);

  /** Return the CPU's cache line, bytes: the piece whose ownership moves between the CPU and a device that does not snoop. */
  long cacheLine();

  /** Write dirty lines of the range back to memory, for a device that does not snoop. */
  void cleanCache(long phys, long length);

  /** Drop lines of the range, so that the CPU reads what a device wrote. Dirty lines are lost. */
  void invalidateCache(long phys, long length);

  /**
   * Run {@code flush} before frames of any closed block are reused; for terminals that defer invalidation. Returns the registration.
   *
   * <p>It runs on whichever thread allocates or closes a block, so it must not need a lock that any thread holds while it does either.
   */
  AutoCloseable beforeReuse(Runnable flush);
}
