/** NVMe from both sides: the host driver and the controller model. */
module io.twostep.device.nvme {
  requires transitive io.twostep.dma;
  requires org.slf4j;

  exports io.twostep.device.nvme;
  exports io.twostep.device.nvme.model;

  uses io.twostep.device.nvme.RequestMapper;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.device.nvme.NvmeDriverPlugin,
      io.twostep.device.nvme.model.NvmeModelPlugin;
}
