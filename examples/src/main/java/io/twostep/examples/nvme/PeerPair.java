package io.twostep.examples.nvme;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
import io.twostep.backend.p2p.PeerPath;
import io.twostep.device.nvme.ControllerMemoryBuffer;
import io.twostep.device.nvme.NvmeConfig;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.dma.DmaStack;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.FabricNode;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.PeerBytes;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Two NVMe controllers on a tree, each behind an IOMMU; the first one's memory is published. */
final class PeerPair implements AutoCloseable {
  private static final DeviceAddress FIRST = new DeviceAddress("0000:03:00.0");
  private static final DeviceAddress SECOND = new DeviceAddress("0000:04:00.0");
  private static final long CMB_BYTES = 1 << 20;

  final ModelMachine machine;
  final NvmeController first;
  final NvmeController second;
  final PeerMemory shared;
  private final Meter meter = new Meter();
  private final P2pBackend p2p = new P2pBackend(P2pConfig.defaults());
  private final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
  private final DeviceSlot secondSlot;

  /** Build the pair; the stores keep what the namespaces hold, and {@code above} lie above the layers that the pair needs. */
  PeerPair(PeerTree tree, Path firstStore, long firstBlocks, Path secondStore, long secondBlocks, List<LayerBackend> above) {
    machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "256M", "tree", tree.tree())));
    MeterPlugin metering = new MeterPlugin(meter);
    List<LayerBackend> layers = new ArrayList<>(above);
    layers.add(metering.create(Settings.defaults(metering)));
    layers.add(p2p);
    DmaStack stack = DmaStack.of(iommu, layers);
    NvmeModelConfig config = NvmeModelConfig.DEFAULT;
    DeviceSlot firstSlot = plug(FIRST, config.with(c -> c.cmbSize(CMB_BYTES).namespaces(NamespaceConfig.ofFile(firstStore, firstBlocks, NvmeWorkload.BLOCK))));
    secondSlot = plug(SECOND, config.with(c -> c.namespaces(NamespaceConfig.ofFile(secondStore, secondBlocks, NvmeWorkload.BLOCK))));
    first = open(firstSlot, stack);
    second = open(secondSlot, stack);
    ControllerMemoryBuffer buffer = first.memoryBuffer();
    if (buffer == null) {
      throw new IllegalStateException(FIRST + ": the controller shows no memory of its own");
    }
    shared = buffer.publish();
  }

  private DeviceSlot plug(DeviceAddress address, NvmeModelConfig config) {
    return machine.plug(address, new NvmeControllerModel(config), SlotOptions.DEFAULT);
  }

  private NvmeController open(DeviceSlot slot, DmaStack stack) {
    return NvmeController.open(DriverContext.of(machine, slot, stack, Settings.defaults(new NvmeDriverPlugin())), NvmeConfig.DEFAULT);
  }

  /** Return how the second controller reaches the first one's memory. */
  PeerPath path() {
    return p2p.path(machine, secondSlot, shared.provider());
  }

  /** Return what the second controller moved to and from the first one's memory. */
  PeerBytes peerBytes() {
    return machine.peerBytes(secondSlot);
  }

  long hardwareEntries() {
    return first.statistics().hardwareEntries() + second.statistics().hardwareEntries();
  }

  long iovaAllocations() {
    return meter.iovaAllocations();
  }

  long invalidations() {
    return machine.stats().invalidations();
  }

  /** Draw the tree, a line for each node, those below indented, with the places that each has on the way of a request. */
  List<String> draw(List<String> way) {
    List<String> lines = new ArrayList<>();
    draw(null, "", way, lines);
    return lines;
  }

  private void draw(@Nullable FabricNode above, String indent, List<String> way, List<String> lines) {
    for (FabricNode node : machine.topology().nodes()) {
      FabricNode uplink = node.uplink();
      if (uplink == null ? above == null : above != null && uplink.name().equals(above.name())) {
        lines.add(indent + describe(node) + places(node, way));
        draw(node, indent + "  ", way, lines);
      }
    }
  }

  private static String places(FabricNode node, List<String> way) {
    List<String> places = new ArrayList<>();
    for (int i = 0; i < way.size(); i++) {
      if (way.get(i).equals(node.name())) {
        places.add(String.valueOf(i + 1));
      }
    }
    return places.isEmpty() ? "" : "  [" + String.join(", ", places) + "]";
  }

  private String describe(FabricNode node) {
    String what =
        switch (node.role()) {
          case HOST_BRIDGE -> "host bridge " + node.model();
          case PORT -> "port" + (node.redirects() ? ", " + node.redirect() : "");
          case DEVICE -> node.name().equals(FIRST.text()) ? "NVMe controller, from: its memory is published" : "NVMe controller, to";
        };
    return node.name() + "  " + what;
  }

  @Override
  public void close() {
    try {
      shared.close();
      first.close();
      second.close();
      p2p.close();
      iommu.close();
    } finally {
      machine.close();
    }
  }
}
