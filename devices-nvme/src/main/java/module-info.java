/** NVMe from both sides: the host driver and the controller model. */
module io.twostep.device.nvme {
  requires transitive io.twostep.dma;
}
