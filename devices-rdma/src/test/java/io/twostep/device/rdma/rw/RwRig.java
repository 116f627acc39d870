package io.twostep.device.rdma.rw;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;
import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.CompletionQueue;
import io.twostep.device.rdma.Connection;
import io.twostep.device.rdma.Hca;
import io.twostep.device.rdma.HcaConfig;
import io.twostep.device.rdma.HcaDriverPlugin;
import io.twostep.device.rdma.MemoryKey;
import io.twostep.device.rdma.ProtectionDomain;
import io.twostep.device.rdma.QueuePair;
import io.twostep.device.rdma.Seeds;
import io.twostep.device.rdma.model.HcaModel;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.tck.ProbeDevice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** Two machines with an adapter each and a wire between them; transfers start at the near one, whose stack is chosen and beside whose adapter lies a device's memory. Counts everything at the end. */
final class RwRig implements AutoCloseable {
  static final int DEPTH = 64;
  static final int FAR_BYTES = 1 << 20;
  static final long FAR = 0x7f_0000_0000L;
  static final WireFaults BAD = new WireFaults(0.02, 0.02, 0.04, 0.005, 0.005);
  static final String SEED = "-Dtwostep.seed=" + Seeds.SEED;

  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final Connection CONNECTION = new Connection(1024, 8, 7, 7, 1, 4);

  /** What lies between the near adapter and memory; the checker is always on top. */
  enum Stack {
    /** An IOMMU whose caches answer with all they may, and a switch that lets peers pass. */
    IOMMU,
    /** The same, and a switch that sends peers' requests up to the host bridge. */
    IOMMU_ACS,
    /** Nothing. */
    DIRECT,
    /** Everything is copied. */
    BOUNCED
  }

  final ModelMachine nearMachine;
  final Hca near;
  final QueuePair pair;
  final PeerMemory peers;
  final PeerBlock peer;
  final DebugBackend checker = new DebugBackend(DebugConfig.defaults());
  final SplittableRandom random = new SplittableRandom(Seeds.SEED);
  final MemoryBlock far;
  final MemoryKey farKey;
  final Map<Long, CompletionStatus> ended = new HashMap<>();
  private final DeviceSlot slot;
  private long reportsExpected;
  private final TerminalBackend nearTerminal;
  private final List<LayerBackend> layers = new ArrayList<>();
  private final IommuBackend farTerminal = new IommuBackend(IommuConfig.defaults());
  private final ModelMachine farMachine = machine("", true);
  private final Wire wire;
  private final Hca farHca;
  private final QueuePair farPair;
  private final List<AutoCloseable> opened = new ArrayList<>();
  private final List<CompletionQueue> queues = new ArrayList<>();

  RwRig(Stack stack) {
    this(stack, 30, WireFaults.NONE);
  }

  RwRig(Stack stack, int segments, WireFaults faults) {
    this(stack, segments, faults, true);
  }

  /** Without the checker in the stack and with caches that keep no past, if need be: for what must not allocate. */
  RwRig(Stack stack, int segments, WireFaults faults, boolean checked) {
    wire = new Wire(faults, Seeds.SEED);
    nearMachine = machine(tree(stack), checked);
    boolean translated = stack == Stack.IOMMU || stack == Stack.IOMMU_ACS;
    nearTerminal = translated ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend();
    if (checked) {
      layers.add(checker);
    }
    layers.add(new P2pBackend(P2pConfig.defaults()));
    if (stack == Stack.BOUNCED) {
      layers.add(new SwiotlbBackend(SwiotlbConfig.defaults().withForce(true)));
    }
    SlotOptions options = translated ? SlotOptions.DEFAULT : SlotOptions.DEFAULT.withTranslation(Translation.NONE);
    ProbeDevice neighbour = ProbeDevice.withMemory(256 << 10);
    DeviceSlot provider = nearMachine.plug(new DeviceAddress("0000:03:00.0"), neighbour, options);
    peers = PeerMemory.publish(nearMachine, provider, ProbeDevice.MEMORY_BAR, 0, neighbour.memoryLength());
    peer = peers.allocate(neighbour.memoryLength() / 2);
    slot = nearMachine.plug(new DeviceAddress("0000:04:00.0"), new HcaModel(wire.end(0)), options);
    near = open(nearMachine, slot, DmaStack.of(nearTerminal, layers));
    farHca = open(farMachine, farMachine.plug(new DeviceAddress("0000:01:00.0"), new HcaModel(wire.end(1)), SlotOptions.DEFAULT), DmaStack.of(farTerminal));
    pair = pair(near, segments);
    farPair = pair(farHca, 1);
    pair.connect(farPair.number(), 5, 7, CONNECTION);
    farPair.connect(pair.number(), 7, 5, CONNECTION);
    far = farMachine.memory().allocate(FAR_BYTES, MemoryPlacement.SCATTERED);
    opened.addFirst(far);
    farKey = farHca.register(farPair.domain(), FAR, far.ranges(), ALL);
    opened.addFirst(farKey);
  }

  private static String tree(Stack stack) {
    String access = stack == Stack.IOMMU_ACS ? " acs=isolate" : "";
    return """
        host-bridge 8086:2020 bus=00-1f
        root-port 00:01.0 bus=01-0f%1$s
        upstream-port 01:00.0 bus=02-0f
        downstream-port 02:00.0 bus=03%1$s
        downstream-port 02:01.0 bus=04%1$s
        """
        .formatted(access);
  }

  private static ModelMachine machine(String tree, boolean adversarial) {
    Map<String, String> settings = new HashMap<>(Map.of("memory", "64M", "seed", String.valueOf(Seeds.SEED & 0xffff)));
    if (adversarial) {
      settings.put("iotlb", "adversarial");
    }
    if (!tree.isEmpty()) {
      settings.put("tree", tree);
    }
    return ModelMachine.create(ModelMachineConfig.of(settings));
  }

  private static Hca open(ModelMachine machine, DeviceSlot slot, DmaStack stack) {
    return Hca.open(DriverContext.of(machine, slot, stack, Settings.defaults(new HcaDriverPlugin())), HcaConfig.DEFAULT);
  }

  private QueuePair pair(Hca hca, int segments) {
    ProtectionDomain domain = hca.newDomain();
    CompletionQueue queue = hca.newCompletionQueue(4 * DEPTH);
    opened.addFirst(domain);
    opened.addFirst(queue);
    queues.add(queue);
    return pair(hca, domain, queue, segments);
  }

  private QueuePair pair(Hca hca, ProtectionDomain domain, CompletionQueue queue, int segments) {
    QueuePair made = hca.newQueuePair(domain, queue, queue, DEPTH, segments);
    opened.addFirst(made);
    return made;
  }

  /** Make another connection between the same domains, for what the first one cannot tell any more. */
  QueuePair secondPair() {
    QueuePair second = pair(near, pair.domain(), queues.getFirst(), 1);
    QueuePair theirs = pair(farHca, farPair.domain(), queues.getLast(), 1);
    second.connect(theirs.number(), 5, 7, CONNECTION);
    theirs.connect(second.number(), 7, 5, CONNECTION);
    return second;
  }

  /** Make memory of the near machine that the rig frees, with random contents. */
  MemoryBlock memory(int bytes) {
    MemoryBlock block = nearMachine.memory().allocate(bytes, MemoryPlacement.SCATTERED);
    opened.addFirst(block);
    byte[] drawn = new byte[bytes];
    random.nextBytes(drawn);
    block.segment().copyFrom(MemorySegment.ofArray(drawn));
    return block;
  }

  /** Let both machines go on until the near queue pair has completed {@code id}. */
  CompletionStatus await(long id) {
    for (int round = 0; !ended.containsKey(id); round++) {
      if (round > 400_000) {
        throw new AssertionError(id + " does not end; ended: " + ended + ", " + SEED);
      }
      step();
    }
    return ended.remove(id);
  }

  void step() {
    wire.deliver();
    nearMachine.timers().pause();
    wire.deliver();
    farMachine.timers().pause();
    queues.getFirst().poll(DEPTH, (from, id, receive, status, extra, length) -> ended.put(id, status));
  }

  /** Transfer at once: post, wait, end. */
  CompletionStatus run(RwContext context, long id) {
    if (!context.post(id, -1)) {
      throw new AssertionError("no room");
    }
    CompletionStatus status = await(id);
    context.ended(status);
    return status;
  }

  byte[] far(long offset, int length) {
    return far.segment().asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  byte[] far() {
    return far(0, FAR_BYTES);
  }

  /** Return how often the checker has reported something by now, and have the rig close in peace in spite of it. */
  long expectReports() {
    reportsExpected = checker.statistics().reports();
    return reportsExpected;
  }

  /** Return what is held that a transfer may hold: handles of the adapter's mapper, I/O address ranges, and pins of the peer's memory. */
  List<Long> held() {
    long ranges = nearTerminal instanceof IommuBackend iommu ? iommu.statistics().liveRanges() : 0;
    return List.of((long) near.mapper().liveMappings(), ranges, peers.pins());
  }

  @Override
  public void close() {
    for (AutoCloseable each : opened) {
      try {
        each.close();
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    }
    peer.close();
    peers.close();
    near.close();
    farHca.close();
    if (near.mapper().liveMappings() != 0 || near.mapper().quarantined() != 0) {
      throw new AssertionError(near.mapper().liveMappings() + " mappings leaked, " + near.mapper().quarantined() + " quarantined");
    }
    layers.forEach(LayerBackend::close);
    checker.close();
    if (checker.statistics().reports() != reportsExpected) {
      throw new AssertionError(checker.reports(1).getFirst().text(24));
    }
    nearTerminal.close();
    farTerminal.close();
    nearMachine.close();
    farMachine.close();
  }
}
