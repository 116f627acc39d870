package io.twostep.device.rdma;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.rdma.model.HcaModel;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.model.WiredTimers;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.ModelHost;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Timers;
import io.twostep.machine.model.ModelMachinePlugin;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Two machines, each with memory, an IOMMU whose caches answer with all they may, and an adapter; and a wire between them. Counts everything at the end. */
final class TwoHosts implements AutoCloseable {
  static final int DEPTH = 64;

  private final int segments;
  final Wire wire;
  private final HcaConfig config;
  final Host near;
  final Host far;

  record Done(long id, boolean receive, CompletionStatus status, int extra, long length) {}

  TwoHosts(WireFaults faults) {
    this(faults, 2);
  }

  TwoHosts(WireFaults faults, int segments) {
    this(faults, segments, HcaConfig.DEFAULT);
  }

  TwoHosts(WireFaults faults, int segments, HcaConfig config) {
    this.segments = segments;
    this.config = config;
    wire = new Wire(faults, Seeds.SEED);
    near = new Host(0);
    far = new Host(1);
    near.start(far);
    far.start(near);
  }

  void connect(Connection connection) {
    near.pair().connect(far.pair().number(), 0xfffff0, 77, connection);
    far.pair().connect(near.pair().number(), 77, 0xfffff0, connection);
  }

  /** Let both hosts go on until {@code host} has seen {@code count} completions in all. */
  void await(Host host, int count) {
    for (int round = 0; host.done.size() < count; round++) {
      if (round > 200_000) {
        throw new AssertionError("only " + host.done + " of " + count + " completions, -Dtwostep.seed=" + Seeds.SEED);
      }
      near.work();
      far.work();
    }
  }

  @Override
  public void close() {
    near.close();
    far.close();
  }

  /** One machine with its adapter. */
  final class Host {
    final ModelHost machine;
    final HcaModel model;
    final DeviceSlot slot;
    final IommuBackend backend = new IommuBackend(IommuConfig.defaults());
    final DmaStack stack = DmaStack.of(backend);
    final List<Done> done = new ArrayList<>();
    final List<AutoCloseable> opened = new ArrayList<>();
    int faults;
    private @Nullable DmaMapper mapper;
    private @Nullable Timers timers;
    private @Nullable Hca hca;
    private @Nullable ProtectionDomain domain;
    private @Nullable CompletionQueue queue;
    private @Nullable QueuePair pair;

    Host(int end) {
      ModelMachinePlugin plugin = new ModelMachinePlugin();
      machine =
          (ModelHost) plugin.create(Settings.of(plugin, Map.of("memory", "64M", "iotlb", "adversarial", "seed", String.valueOf(Seeds.SEED & 0xffff))));
      model = new HcaModel(wire.end(end));
      slot = machine.plug(new DeviceAddress("0000:01:00.0"), model, SlotOptions.DEFAULT);
    }

    void start(Host peer) {
      timers = new WiredTimers(machine.timers(), wire, peer.machine.timers());
      hca = Hca.open(context(), config);
      domain = hca().newDomain();
      queue = hca().newCompletionQueue(2 * DEPTH);
      pair = hca().newQueuePair(domain(), queue(), queue(), DEPTH, segments);
    }

    Hca hca() {
      return java.util.Objects.requireNonNull(hca);
    }

    ProtectionDomain domain() {
      return java.util.Objects.requireNonNull(domain);
    }

    CompletionQueue queue() {
      return java.util.Objects.requireNonNull(queue);
    }

    QueuePair pair() {
      return java.util.Objects.requireNonNull(pair);
    }

    DmaMapper mapper() {
      return java.util.Objects.requireNonNull(mapper);
    }

    void work() {
      java.util.Objects.requireNonNull(timers).pause();
      faults += hca().serviceFaults();
      queue().poll(DEPTH, (from, id, receive, status, extra, length) -> done.add(new Done(id, receive, status, extra, length)));
    }

    MemoryBlock memory(long bytes) {
      MemoryBlock block = machine.memory().allocate(bytes, MemoryPlacement.SCATTERED);
      opened.addFirst(block);
      return block;
    }

    MemoryKey register(MemoryBlock block, long start, int access) {
      return register(domain(), block, start, access);
    }

    MemoryKey register(ProtectionDomain in, MemoryBlock block, long start, int access) {
      MemoryKey key = hca().register(in, start, ranges(block), access);
      opened.addFirst(key);
      return key;
    }

    PhysRanges ranges(MemoryBlock block) {
      return block.ranges();
    }

    DriverContext context() {
      return new DriverContext() {
        @Override
        public DeviceSlot slot() {
          return slot;
        }

        @Override
        public Machine machine() {
          return machine;
        }

        @Override
        public Timers timers() {
          return java.util.Objects.requireNonNull(timers);
        }

        @Override
        public Settings settings() {
          throw new UnsupportedOperationException("the adapter's driver has no settings");
        }

        @Override
        public DmaMapper attach(DeviceLimits limits) {
          mapper = stack.attach(machine, slot, limits);
          return mapper;
        }
      };
    }

    void close() {
      pair().close();
      queue().close();
      for (AutoCloseable each : opened) {
        try {
          each.close();
        } catch (Exception e) {
          throw new AssertionError(e);
        }
      }
      domain().close();
      hca().close();
      if (mapper().liveMappings() != 0 || mapper().quarantined() != 0) {
        throw new AssertionError(mapper().liveMappings() + " mappings leaked, " + mapper().quarantined() + " quarantined");
      }
      backend.close();
      machine.close();
    }
  }
}
