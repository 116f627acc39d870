package io.twostep.benchmarks.growth;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.ProbeDevice;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Consumer;

/** Modelled machines of 1 GiB, 4 GiB ... of RAM: making one, handing scattered frames out, mapping them. */
final class MemoryStudy {
  private static final long LEAST = 1L << 30;
  private static final int ROUNDS = 5;
  private static final int BLOCKS = 64;
  private static final long BLOCK = 1L << 20;
  private static final int PAGES = (int) (BLOCK / 4096);
  private static final int PASSES = 100;

  private MemoryStudy() {}

  static void run(Scale scale, Consumer<Measured> to) {
    long warmUp = scale.timer().warmUpNanos();
    for (long size = LEAST; size <= scale.mostMemory(); size *= 4) {
      long bytes = size;
      measure(to, warmUp, "make and close a machine", size, 1, () -> machine(bytes).close());
      try (ModelMachine machine = machine(size)) {
        measure(to, warmUp, "allocate and free 1 MiB, scattered", size, BLOCKS, () -> allocate(machine));
        try (Mapped direct = new Mapped(machine, "0000:01:00.0", Translation.NONE);
            Mapped translated = new Mapped(machine, "0000:02:00.0", Translation.TRANSLATED)) {
          measure(to, warmUp, "map and unmap a page, direct", size, PASSES * PAGES, direct::map);
          measure(to, warmUp, "map and unmap a page, modelled IOMMU", size, PASSES * PAGES, translated::map);
        }
      }
    }
  }

  private static ModelMachine machine(long size) {
    return ModelMachine.create(ModelMachineConfig.of(Map.of("memory", Long.toString(size))));
  }

  private static void measure(Consumer<Measured> to, long warmUpNanos, String line, long size, int operations, Runnable work) {
    long begin = System.nanoTime();
    do {
      work.run();
    } while (System.nanoTime() - begin < warmUpNanos);
    double[] nanos = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      long from = System.nanoTime();
      work.run();
      nanos[round] = (double) (System.nanoTime() - from) / operations;
    }
    Arrays.sort(nanos);
    to.accept(new Measured(GrowthChart.MEMORY, line, size, nanos[ROUNDS / 2], nanos[0], nanos[ROUNDS - 1]));
  }

  private static void allocate(ModelMachine machine) {
    for (int i = 0; i < BLOCKS; i++) {
      machine.memory().allocate(BLOCK, MemoryPlacement.SCATTERED).close();
    }
  }

  /** A device, and a block whose pages it maps one by one. */
  private static final class Mapped implements AutoCloseable {
    private final TerminalBackend terminal;
    private final DmaMapper mapper;
    private final DmaMapping mapping;
    private final MemoryBlock block;

    private Mapped(ModelMachine machine, String address, Translation translation) {
      DeviceSlot slot = machine.plug(new DeviceAddress(address), new ProbeDevice(), SlotOptions.DEFAULT.withTranslation(translation));
      DirectBackendPlugin direct = new DirectBackendPlugin();
      terminal = translation == Translation.NONE ? direct.create(Settings.defaults(direct)) : new IommuBackend(IommuConfig.defaults());
      mapper = DmaStack.of(terminal).attach(machine, slot, DeviceLimits.UNLIMITED);
      mapping = mapper.newMapping();
      block = machine.memory().allocate(BLOCK, MemoryPlacement.SCATTERED);
    }

    private void map() {
      for (int pass = 0; pass < PASSES; pass++) {
        for (int page = 0; page < PAGES; page++) {
          mapping.map(block.phys(page * 4096L), 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
          mapping.unmap();
        }
      }
    }

    @Override
    public void close() {
      mapping.close();
      mapper.close();
      block.close();
      terminal.close();
    }
  }
}
