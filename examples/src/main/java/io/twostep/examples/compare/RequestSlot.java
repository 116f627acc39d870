package io.twostep.examples.compare;

import io.twostep.dma.DmaSink;

/** Makes one request at a time reachable for the device. One thread at a time. */
interface RequestSlot extends AutoCloseable {
  /**
   * Map a request and hand its DMA ranges over, in order.
   *
   * @throws io.twostep.dma.DmaMappingException if it cannot be mapped; nothing is mapped then
   */
  void map(Request request, DmaSink sink);

  /** Unmap; when this returns the memory is the caller's again, as far as the strategy promises it. */
  void unmap();

  @Override
  void close();
}
