/** This machine: devices, memory and IOMMU as the Linux kernel hands them out. */
module io.twostep.machine.linux {
  requires transitive io.twostep.dma;
  requires org.slf4j;
  requires static org.jspecify;

  exports io.twostep.machine.linux;
  exports io.twostep.machine.linux.vfiouser;
  exports io.twostep.machine.linux.vfiouser.server;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.machine.linux.LinuxMachinePlugin,
      io.twostep.machine.linux.vfiouser.VfioUserMachinePlugin;
}
