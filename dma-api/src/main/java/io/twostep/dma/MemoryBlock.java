package io.twostep.dma;

import java.lang.foreign.MemorySegment;

/**
 * Machine-owned memory: one contiguous segment for the CPU, physical ranges for devices.
 *
 * <p>Obtained from {@link io.twostep.dma.spi.PhysicalMemory#allocate}; contents are zero at first. The segment may be used from any thread until close. The
 * block refuses to close while any mapping covers it, and its frames are reused only after flushes that cover them are complete.
 */
public interface MemoryBlock extends AutoCloseable {
  /** Return the bytes of the block, as asked for. */
  long length();

  /** Return the CPU's view, exactly {@link #length} bytes; dead after close. */
  MemorySegment segment();

  /** Return a new cursor over the physical ranges of the whole block, adjacent frames joined. */
  PhysRanges ranges();

  /**
   * Return the physical address of the byte at {@code offset}.
   *
   * @throws IndexOutOfBoundsException if the offset is outside the block; says which block, and how long it is
   */
  long phys(long offset);

  /**
   * Give the frames back.
   *
   * @throws IllegalStateException if a mapping still covers the block; the block stays usable
   */
  @Override
  void close();
}
