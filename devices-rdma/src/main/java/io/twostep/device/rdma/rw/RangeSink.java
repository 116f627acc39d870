package io.twostep.device.rdma.rw;

/** Takes DMA ranges one by one. */
@FunctionalInterface
interface RangeSink {
  void range(long dmaAddress, long length);
}
