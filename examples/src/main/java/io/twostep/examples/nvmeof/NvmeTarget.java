package io.twostep.examples.nvmeof;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.PeerPath;
import io.twostep.device.nvme.ControllerMemoryBuffer;
import io.twostep.device.nvme.NvmeConfig;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.rw.RwLimits;
import io.twostep.device.rdma.rw.RwQueue;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaStack;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.examples.fabric.RdmaHost;
import io.twostep.machine.model.MachineStats;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.PeerBytes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A machine with an NVMe controller and an adapter, each behind the IOMMU, which serves the controller's namespace to an initiator: several commands at once, on one thread. */
final class NvmeTarget implements AutoCloseable {
  /** Bytes of a block. */
  static final int BLOCK = 512;

  /** The most bytes of a command. */
  static final int MOST = 128 << 10;

  private static final DeviceAddress CONTROLLER = new DeviceAddress("0000:03:00.0");
  private static final DeviceAddress ADAPTER = new DeviceAddress("0000:04:00.0");
  private static final long MEMORY_BUFFER = 8 << 20;
  private static final int PATIENCE = 1_000_000;

  private final ModelMachine machine;
  private final P2pBackend p2p;
  private final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
  private final NvmeController controller;
  private final PeerMemory shared;
  private final RdmaHost host;
  private final RwQueue transfers;
  private final List<TargetCommand> commands = new ArrayList<>();
  private @Nullable CompletionStatus lost;
  private int mostInFlight;

  /**
   * Make a target.
   *
   * @param depth the most commands that it has under way at once; the next ones wait at the initiator's adapter
   */
  NvmeTarget(TargetTree tree, long blocks, int depth, Wire wire, int end) {
    machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M", "tree", tree.tree().tree())));
    p2p = new P2pBackend(tree.belief());
    DmaStack stack = DmaStack.of(iommu, p2p);
    NvmeModelConfig model = NvmeModelConfig.DEFAULT.with(c -> c.cmbSize(MEMORY_BUFFER).namespaces(NamespaceConfig.ofMemory(blocks, BLOCK)));
    DeviceSlot slot = machine.plug(CONTROLLER, new NvmeControllerModel(model), SlotOptions.DEFAULT);
    controller = NvmeController.open(DriverContext.of(machine, slot, stack, Settings.defaults(new NvmeDriverPlugin())), NvmeConfig.DEFAULT);
    ControllerMemoryBuffer memory = controller.memoryBuffer();
    if (memory == null) {
      throw new IllegalStateException(CONTROLLER + ": the controller shows no memory of its own");
    }
    shared = memory.publish();
    host = new RdmaHost(machine, ADAPTER, stack, wire, end, depth, () -> {});
    transfers = new RwQueue(host.pair(), RwLimits.ofRanges(host.pair().maxSegments()), 0);
    NvmeNamespace namespace = controller.namespace(1);
    for (int i = 0; i < depth; i++) {
      commands.add(new TargetCommand(i, host, namespace, transfers.newContext(), DataBuffer.allocate(MOST, shared, host.hca().mapper(), machine.memory())));
    }
  }

  RdmaHost host() {
    return host;
  }

  /** Return how the adapter reaches the controller's memory. */
  PeerPath path() {
    return p2p.path(machine, host.hca().mapper().slot(), shared.provider());
  }

  /** Return the bytes of commands' data that devices moved to and from host memory. */
  long hostDataBytes() {
    return commands.stream().mapToLong(TargetCommand::hostDataBytes).sum();
  }

  /** Return what the adapter moved to and from the controller's memory. */
  PeerBytes peerBytes() {
    return machine.peerBytes(host.hca().mapper().slot());
  }

  /** Return everything that devices moved over the fabric to or from host memory, entries of queues and page lists included. */
  long hostBytes() {
    MachineStats stats = machine.stats();
    PeerBytes adapter = peerBytes();
    PeerBytes nvme = machine.peerBytes(controller.mapper().slot());
    return stats.bytesRead() + stats.bytesWritten() - adapter.direct() - adapter.bridged() - nvme.direct() - nvme.bridged();
  }

  /** Let every command go on as far as it can, and take those that arrived. Never waits; the initiator's host lets the machines go on. */
  void work() {
    host.step();
    for (RdmaHost.Received message = host.tryReceive(); message != null; message = host.tryReceive()) {
      commands.get(message.buffer()).take(message);
    }
    int busy = 0;
    for (TargetCommand command : commands) {
      CompletionStatus failed = command.advance();
      if (failed != null && (lost == null || lost == CompletionStatus.FLUSHED)) {
        lost = failed;
      }
      busy += command.isFree() ? 0 : 1;
    }
    mostInFlight = Math.max(mostInFlight, busy);
  }

  /** Return how the connection was lost, by the request that lost it rather than by those behind it; or null. */
  @Nullable CompletionStatus lost() {
    return lost;
  }

  /** Tell whether no command is under way. */
  boolean isIdle() {
    return commands.stream().allMatch(TargetCommand::isFree);
  }

  /** Return the most commands that were under way at once. */
  int mostInFlight() {
    return mostInFlight;
  }

  @Override
  public void close() {
    for (int round = 0; !isIdle() && round < PATIENCE; round++) {
      work();
    }
    commands.forEach(TargetCommand::close);
    transfers.close();
    host.close();
    shared.close();
    controller.close();
    p2p.close();
    iommu.close();
    machine.close();
  }
}
