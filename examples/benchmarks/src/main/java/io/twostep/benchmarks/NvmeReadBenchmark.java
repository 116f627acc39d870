package io.twostep.benchmarks;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.IommuBackendPlugin;
import io.twostep.benchmarks.machine.OneRange;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.device.nvme.NvmeQueue;
import io.twostep.device.nvme.model.NvmeModelPlugin;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * One operation: a read of 4 KiB from the modelled controller, 32 outstanding on one queue pair, one thread doing host and device, bytes
 * moved for real.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 7, time = 1)
@Fork(1)
public class NvmeReadBenchmark {
  private static final int DEPTH = 32;

  @Param({"direct", "iommu"})
  public String stack = "";

  private ModelMachine machine;
  private TerminalBackend backend;
  private NvmeController controller;
  private NvmeNamespace namespace;
  private MemoryBlock memory;
  private final NvmeBio[] bios = new NvmeBio[DEPTH];

  @Setup(Level.Trial)
  public void bringUp() {
    machine = ModelMachine.create(ModelMachineConfig.defaults());
    boolean direct = stack.equals("direct");
    NvmeModelPlugin model = new NvmeModelPlugin();
    DeviceSlot slot =
        machine.plug(
            new DeviceAddress("0000:01:00.0"),
            model.create(Settings.defaults(model)),
            SlotOptions.DEFAULT.withTranslation(direct ? Translation.NONE : Translation.TRANSLATED));
    BackendPlugin plugin = direct ? new DirectBackendPlugin() : new IommuBackendPlugin();
    backend = (TerminalBackend) plugin.create(Settings.defaults(plugin));
    Settings settings = Settings.of(new NvmeDriverPlugin(), Map.of("io-queues", "1"));
    controller = NvmeController.open(DriverContext.of(machine, slot, DmaStack.of(backend), settings));
    namespace = controller.namespaces().getFirst();
    memory = machine.memory().allocate(DEPTH * 4096L, MemoryPlacement.SCATTERED);
    namespace.write(0, memory);
    long blocks = 4096 / namespace.blockSize();
    for (int i = 0; i < DEPTH; i++) {
      OneRange page = new OneRange(memory.phys(i * 4096L), 4096);
      bios[i] = new NvmeBio().read(namespace, i * blocks, blocks, page);
    }
  }

  @Benchmark
  @OperationsPerInvocation(DEPTH)
  public int read() {
    NvmeQueue queue = null;
    for (NvmeBio bio : bios) {
      queue = namespace.submit(bio);
    }
    int polls = 0;
    for (NvmeBio bio : bios) {
      while (!bio.isDone()) {
        polls += queue.poll();
        if (!bio.isDone()) {
          machine.timers().pause();
        }
      }
      bio.check();
    }
    return polls;
  }

  @TearDown(Level.Trial)
  public void shutDown() {
    controller.close();
    memory.close();
    backend.close();
    machine.close();
  }
}
