package io.twostep.examples.nvmeof;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.PeerPath;
import io.twostep.device.nvme.ControllerMemoryBuffer;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeConfig;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.NvmeException;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.rw.RangeSlice;
import io.twostep.device.rdma.rw.RwContext;
import io.twostep.device.rdma.rw.RwLimits;
import io.twostep.device.rdma.rw.RwOperation;
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
import java.nio.ByteBuffer;
import java.util.Map;

/** A machine with an NVMe controller and an adapter, each behind the IOMMU, which serves the controller's namespace to an initiator. One command at a time, on one thread. */
final class NvmeTarget implements AutoCloseable {
  /** Bytes of a block. */
  static final int BLOCK = 512;

  /** The most bytes of a command. */
  static final int MOST = 128 << 10;

  private static final DeviceAddress CONTROLLER = new DeviceAddress("0000:03:00.0");
  private static final DeviceAddress ADAPTER = new DeviceAddress("0000:04:00.0");
  private static final long MEMORY_BUFFER = 1 << 20;
  private static final long SILENT = 0;

  private final ModelMachine machine;
  private final P2pBackend p2p;
  private final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
  private final NvmeController controller;
  private final PeerMemory shared;
  private final RdmaHost host;
  private final RwQueue transfers;
  private final RwContext transfer;
  private final DataBuffer buffer;
  private final RangeSlice data;
  private long lastId;
  private long hostDataBytes;

  NvmeTarget(TargetTree tree, long blocks, Wire wire, int end) {
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
    host = new RdmaHost(machine, ADAPTER, stack, wire, end, () -> {});
    transfers = new RwQueue(host.pair(), RwLimits.ofRanges(host.pair().maxSegments()), 0);
    transfer = transfers.newContext();
    buffer = DataBuffer.allocate(MOST, shared, host.hca().mapper(), machine.memory());
    data = new RangeSlice(buffer.ranges());
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
    return hostDataBytes;
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

  /** Await a command, execute it and answer it. */
  void serve() {
    RdmaHost.Received message = host.receive();
    CommandCapsule command = CommandCapsule.read(host.message(message));
    host.postReceive(message.buffer());
    int status = execute(command);
    ByteBuffer out = host.outgoing();
    new ResponseCapsule(command.id(), status).write(out);
    requireSuccess(host.send(++lastId, out.position()), "the answer was not delivered");
  }

  private int execute(CommandCapsule command) {
    int bytes = command.blocks() * BLOCK;
    if (bytes > MOST || bytes != command.length()) {
      return ResponseCapsule.INVALID_FIELD;
    }
    NvmeNamespace namespace = controller.namespace(1);
    if (command.lba() < 0 || command.lba() > namespace.blocks() - command.blocks()) {
      return ResponseCapsule.OUT_OF_RANGE;
    }
    data.of(0, bytes);
    try {
      if (command.opcode() == CommandCapsule.WRITE) {
        move(RwOperation.READ, command);
        namespace.run(new NvmeBio().write(namespace, command.lba(), command.blocks(), data));
      } else {
        namespace.run(new NvmeBio().read(namespace, command.lba(), command.blocks(), data));
        move(RwOperation.WRITE, command);
      }
    } catch (NvmeException e) {
      return e.status();
    }
    hostDataBytes += buffer.isPeer() ? 0 : 2L * bytes;
    return 0;
  }

  private void move(RwOperation operation, CommandCapsule command) {
    transfer.prepareVector(operation, data, command.key(), command.address());
    long id = ++lastId;
    if (!transfer.post(id, SILENT)) {
      throw new IllegalStateException("a transfer of " + transfer.workRequests() + " work requests finds no room in an idle queue");
    }
    CompletionStatus status = host.await(id);
    transfer.ended(status);
    transfer.destroy();
    requireSuccess(status, "the initiator's memory cannot be used");
  }

  private static void requireSuccess(CompletionStatus status, String otherwise) {
    if (status != CompletionStatus.SUCCESS) {
      throw new IllegalStateException(otherwise + ": " + status);
    }
  }

  @Override
  public void close() {
    transfer.close();
    transfers.close();
    buffer.release();
    host.close();
    shared.close();
    controller.close();
    p2p.close();
    iommu.close();
    machine.close();
  }
}
