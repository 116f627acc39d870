package io.twostep.device.nvme;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;
import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.FlushPolicy;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.ModelHost;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.dma.spi.Timers;
import io.twostep.machine.model.ModelMachinePlugin;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;

/** A modelled machine with one controller and a driver for it: the whole stack, in one object. Everything is counted when it closes. */
final class Rig implements AutoCloseable {
  static final DeviceAddress ADDRESS = new DeviceAddress("0000:01:00.0");

  final ModelHost machine;
  final NvmeControllerModel model;
  final LyingModel registers;
  final DeviceSlot slot;
  final List<DmaMapper> mappers = new ArrayList<>();
  final TerminalBackend backend;
  final DmaStack stack;
  final DebugBackend checker = new DebugBackend(DebugConfig.defaults());
  final Map<String, String> settings;
  private long reportsExpected;
  private final List<MemoryBlock> blocks = new ArrayList<>();

  /** What lies between the driver and the device. */
  enum Stack {
    /** Nothing. */
    DIRECT,
    /** Memory that the device sees elsewhere, in two pieces. */
    OFFSET,
    /** A device that does not see CPU caches. */
    NON_COHERENT,
    /** An IOMMU whose caches answer with anything they may. */
    IOMMU,
    /** An IOMMU of the other table format whose caches behave, and invalidation deferred. */
    IOMMU_LAZY
  }

  Rig(NvmeModelConfig config) {
    this(config, Stack.DIRECT, Map.of());
  }

  Rig(NvmeModelConfig config, Stack kind, Map<String, String> settings) {
    this(config, kind, settings, true);
  }

  /** Without the checker in the stack: for what must not allocate. */
  static Rig unchecked(NvmeModelConfig config, Stack kind) {
    return new Rig(config, kind, Map.of(), false);
  }

  private Rig(NvmeModelConfig config, Stack kind, Map<String, String> settings, boolean checked) {
    machine = machine(kind);
    model = new NvmeControllerModel(config);
    registers = new LyingModel(model);
    slot = machine.plug(ADDRESS, registers, options(kind));
    backend = backend(kind);
    stack = checked ? DmaStack.of(backend, checker) : DmaStack.of(backend);
    this.settings = settings;
  }

  private static ModelHost machine(Stack kind) {
    Map<String, String> given = new TreeMap<>(Map.of("memory", "256M", "seed", Long.toUnsignedString(Seeds.SEED & 0xffff)));
    if (kind == Stack.OFFSET) {
      given.put("inbound", "0:0x100000000:0x8000000,0x8000000:0x40000000:0x8000000");
    }
    if (kind == Stack.IOMMU) {
      given.put("iotlb", "adversarial");
    }
    ModelMachinePlugin plugin = new ModelMachinePlugin();
    return (ModelHost) plugin.create(Settings.of(plugin, given));
  }

  private static SlotOptions options(Stack kind) {
    return switch (kind) {
      case DIRECT, OFFSET -> SlotOptions.DEFAULT.withTranslation(Translation.NONE);
      case IOMMU, IOMMU_LAZY -> SlotOptions.DEFAULT;
      case NON_COHERENT -> SlotOptions.DEFAULT.withTranslation(Translation.NONE).withCoherent(false);
    };
  }

  private static TerminalBackend backend(Stack kind) {
    return switch (kind) {
      case DIRECT, OFFSET, NON_COHERENT -> new DirectBackend();
      case IOMMU -> new IommuBackend(IommuConfig.defaults());
      case IOMMU_LAZY -> new IommuBackend(IommuConfig.defaults().withFormat(TableFormat.AMD_V1).withFlush(FlushPolicy.LAZY));
    };
  }

  NvmeController open() {
    return open(NvmeConfig.DEFAULT);
  }

  NvmeController open(NvmeConfig config) {
    return NvmeController.open(context(), config);
  }

  DriverContext context() {
    return context(slot, machine.timers());
  }

  /** Return what a driver is given that sees the slot and the clock through something else. */
  DriverContext context(DeviceSlot seen, Timers timers) {
    return new DriverContext() {
      @Override
      public DeviceSlot slot() {
        return seen;
      }

      @Override
      public Timers timers() {
        return timers;
      }

      @Override
      public Machine machine() {
        return machine;
      }

      @Override
      public Settings settings() {
        return Settings.of(new NvmeDriverPlugin(), settings);
      }

      @Override
      public DmaMapper attach(DeviceLimits limits) {
        DmaMapper mapper = stack.attach(machine, slot, limits);
        mappers.add(mapper);
        return mapper;
      }
    };
  }

  /** Allocate memory that the rig frees. */
  MemoryBlock memory(long bytes) {
    MemoryBlock block = machine.memory().allocate(bytes, MemoryPlacement.SCATTERED);
    blocks.add(block);
    return block;
  }

  /** Allocate memory with random contents. */
  MemoryBlock random(long bytes, RandomGenerator random) {
    MemoryBlock block = memory(bytes);
    fill(block.segment(), random);
    return block;
  }

  static void fill(MemorySegment segment, RandomGenerator random) {
    byte[] bytes = new byte[(int) segment.byteSize()];
    random.nextBytes(bytes);
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, segment, 0, bytes.length);
  }

  /** Return how often the checker has reported something by now, and have the rig close in peace in spite of it. */
  long expectReports() {
    reportsExpected = checker.statistics().reports();
    return reportsExpected;
  }

  /** Free memory before the rig closes. */
  void release(MemoryBlock block) {
    blocks.remove(block);
    block.close();
  }

  @Override
  public void close() {
    for (DmaMapper mapper : mappers) {
      if (mapper.liveMappings() != 0 || mapper.quarantined() != 0) {
        throw new AssertionError(mapper.liveMappings() + " mappings leaked, " + mapper.quarantined() + " quarantined");
      }
    }
    blocks.forEach(MemoryBlock::close);
    mappers.forEach(DmaMapper::close);
    checker.close();
    if (checker.statistics().reports() != reportsExpected) {
      throw new AssertionError(checker.reports(1).getFirst().text(24));
    }
    backend.close();
    machine.close();
  }
}
