package io.twostep.device.nvme;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaSink;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.PhysRanges;

/**
 * The mapping of one request slot: idle, then mapped, then idle again. One thread at a time; a warm one allocates nothing on the heap.
 *
 * <p>The rules are those of {@link io.twostep.dma.DmaTransfer}: a call that fails, or whose sink refuses, leaves nothing mapped.
 */
public interface RequestMapping extends AutoCloseable {
  /**
   * Map a request and hand the DMA ranges to the sink, in order.
   *
   * @param source the ranges; unchanged until unmap
   * @return how many ranges the sink took; -1 if it refused one and everything is undone
   * @throws io.twostep.dma.DmaMappingException if a range cannot be mapped; nothing is mapped then
   */
  long map(PhysRanges source, DmaDirection direction, int attributes, DmaSink sink);

  /**
   * Map a request of one range; by default as any other.
   *
   * @param source the same range as {@code phys} and {@code length}
   */
  default long mapSingle(
      PhysRanges source, long phys, long length, DmaDirection direction, int attributes, DmaSink sink) {
    return map(source, direction, attributes, sink);
  }

  /** Unmap; the memory is the caller's again once {@code batch} completes. */
  void unmap(InvalidationBatch batch);

  /** Release the slot; it is idle. */
  @Override
  void close();
}
