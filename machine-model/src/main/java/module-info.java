/** A machine in memory: RAM, PCI functions, translation hardware and time, all repeatable from a seed. */
module io.twostep.machine.model {
  requires transitive io.twostep.dma;
  requires static org.jspecify;

  exports io.twostep.machine.model;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.machine.model.ModelMachinePlugin,
      io.twostep.machine.model.ProbeDevicePlugin;
}
