/** This machine: devices, memory and IOMMU as the Linux kernel hands them out. */
module io.twostep.machine.linux {
  requires transitive io.twostep.dma;
  requires static org.jspecify;

  exports io.twostep.machine.linux;
}
