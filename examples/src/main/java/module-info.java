/** The {@code twostep} command line, and small mains that show one idea each. */
module io.twostep.examples {
  requires static org.jspecify;
  requires info.picocli;
  requires io.twostep.backend.debug;
  requires io.twostep.backend.direct;
  requires io.twostep.backend.iommu;
  requires io.twostep.backend.p2p;
  requires io.twostep.backend.swiotlb;
  requires io.twostep.device.nvme;
  requires io.twostep.device.rdma;
  requires io.twostep.device.vfio;
  requires io.twostep.machine.linux;
  requires io.twostep.machine.model;
  requires io.twostep.platform;
  requires jdk.management;

  opens io.twostep.examples to com.google.guice;
  opens io.twostep.examples.cli to info.picocli;

  uses io.twostep.examples.cli.CommandSource;

  provides io.twostep.device.nvme.RequestMapper with
      io.twostep.examples.nvme.PerPageMapper,
      io.twostep.examples.nvme.ScatterListMapper;
}
