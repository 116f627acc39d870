/** NVMe from both sides: the host driver and the controller model. */
module io.twostep.device.nvme {
  requires transitive io.twostep.dma;

  exports io.twostep.device.nvme.model;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.device.nvme.model.NvmeModelPlugin;
}
