package io.twostep.backend.swiotlb.pool;

import io.twostep.dma.MemoryBlock;
import org.jspecify.annotations.Nullable;

/** Gives a pool the memory of an area. */
@FunctionalInterface
public interface AreaSource {
  /**
   * Allocate one physically contiguous block aligned to its length.
   *
   * @param length bytes, a power of two
   * @return null if there is none just now
   */
  @Nullable MemoryBlock allocate(long length);
}
