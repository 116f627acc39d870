/** RDMA: memory that adapters reach, registered for good or page by page on demand. */
module io.twostep.device.rdma {
  requires transitive io.twostep.dma;
  requires org.slf4j;

  exports io.twostep.device.rdma;
  exports io.twostep.device.rdma.model;
  exports io.twostep.device.rdma.mirror;
  exports io.twostep.device.rdma.rw;
  exports io.twostep.device.rdma.umem;
  exports io.twostep.device.rdma.wire;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.device.rdma.HcaDriverPlugin,
      io.twostep.device.rdma.model.HcaModelPlugin;
}
