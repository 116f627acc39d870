package io.twostep.examples.rdma;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.rdma.CompletionQueue;
import io.twostep.device.rdma.Connection;
import io.twostep.device.rdma.Hca;
import io.twostep.device.rdma.HcaConfig;
import io.twostep.device.rdma.HcaDriverPlugin;
import io.twostep.device.rdma.ProtectionDomain;
import io.twostep.device.rdma.QueuePair;
import io.twostep.device.rdma.WorkCompletion;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.mirror.ProcessStatistics;
import io.twostep.device.rdma.model.HcaModel;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WiredTimers;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Timers;
import io.twostep.examples.nvme.Meter;
import io.twostep.machine.model.MachineStats;
import io.twostep.machine.model.ModelMachine;

/** One host: a machine with an IOMMU whose caches answer with all they may, an adapter at one end of the wire, and a process. */
final class RdmaHost implements AutoCloseable {
  static final int QUEUE_DEPTH = 64;

  private static final DeviceAddress ADDRESS = new DeviceAddress("0000:01:00.0");
  /** Time is virtual and runs ahead of threads that wait for each other, so that deadlines mean little. */
  static final long PATIENCE_NANOS = 24 * 3_600_000_000_000L;

  private static final long FRAMES = 128L << 20;

  final ModelMachine machine;
  final ProcessMemory process;
  final Hca hca;
  final ProtectionDomain domain;
  private final Timers timers;
  private final Meter meter = new Meter();
  private final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
  private final FramePool frames;
  private final CompletionQueue completions;
  private final QueuePair pair;
  private long faults;
  private long faultNanos;

  RdmaHost(String name, ModelMachine machine, ModelMachine peer, Wire wire, int end) {
    this.machine = machine;
    timers = new WiredTimers(machine.timers(), wire, peer.timers());
    DeviceSlot slot = machine.plug(ADDRESS, new HcaModel(wire.end(end)), SlotOptions.DEFAULT);
    DmaStack stack = DmaStack.of(iommu, meter.layer());
    frames = new FramePool(machine.memory(), MemoryPlacement.SCATTERED, FRAMES);
    process = new ProcessMemory(name, frames);
    hca = Hca.open(new WiredContext(DriverContext.of(machine, slot, stack, Settings.defaults(new HcaDriverPlugin())), timers), new HcaConfig(4096, PATIENCE_NANOS, 64 << 10, 64, PATIENCE_NANOS, 4 << 20));
    domain = hca.newDomain();
    completions = hca.newCompletionQueue(2 * QUEUE_DEPTH);
    pair = hca.newQueuePair(domain, completions, completions, QUEUE_DEPTH);
  }

  /** Connect the queue pairs of two hosts over a wire that loses nothing, so that nobody need wait for what was lost. */
  static void connect(RdmaHost one, RdmaHost other) {
    Connection connection = new Connection(4096, 0, 7, 7, 1, 16);
    one.pair.connect(other.pair.number(), 1, 2, connection);
    other.pair.connect(one.pair.number(), 2, 1, connection);
  }

  QueuePair pair() {
    return pair;
  }

  Timers timers() {
    return timers;
  }

  /** Let the host go on: serve its adapter's page faults, and take completions. */
  void work(WorkCompletion sink) {
    long begun = CpuTime.ofThread();
    int served = hca.serviceFaults();
    if (served > 0) {
      faults += served;
      faultNanos += CpuTime.ofThread() - begun;
    }
    completions.poll(QUEUE_DEPTH, sink);
  }

  long faults() {
    return faults;
  }

  long faultNanos() {
    return faultNanos;
  }

  long iovaAllocations() {
    return meter.iovaAllocations();
  }

  /** Return how many pages were brought in, copied, moved and swapped out so far. */
  long pageEvents() {
    ProcessStatistics seen = process.statistics();
    return seen.faultedPages() + seen.copiedPages() + seen.movedPages() + seen.swappedPages();
  }

  /** Tell whether the adapter only ever reached memory that was its to reach. */
  boolean isClean() {
    MachineStats seen = machine.stats();
    return seen.strayAccesses() == 0 && seen.faults() == 0;
  }

  @Override
  public void close() {
    pair.close();
    completions.close();
    domain.close();
    hca.close();
    process.close();
    frames.close();
    iommu.close();
    machine.close();
  }
}
