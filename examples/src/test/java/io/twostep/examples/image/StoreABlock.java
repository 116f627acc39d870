package io.twostep.examples.image;

import io.twostep.device.nvme.NvmeController;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModelPlugin;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.DmaPlugin.Kind;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.DriverPlugin;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MachinePlugin;
import io.twostep.dma.spi.ModelHost;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.ServiceLoader;

/** A program whose machine, backends, controller and driver are found by name: what an image must hold is found when it runs. */
public final class StoreABlock {
  private static final List<DmaPlugin> FOUND =
      ServiceLoader.load(DmaPlugin.class).stream().map(ServiceLoader.Provider::get).sorted(Comparator.comparing(StoreABlock::text)).toList();

  private StoreABlock() {}

  /** Print every plugin, then store a block on a modelled drive through three backends, and say whether it came back. */
  public static void main(String[] arguments) {
    FOUND.forEach(plugin -> System.out.println(text(plugin)));
    try (ModelHost machine = (ModelHost) plugin(MachinePlugin.class, Kind.MACHINE, "model").create(defaults(Kind.MACHINE, "model"));
        TerminalBackend iommu = (TerminalBackend) backend(Kind.TERMINAL, "iommu");
        LayerBackend bounce = (LayerBackend) backend(Kind.LAYER, "swiotlb");
        LayerBackend peers = (LayerBackend) backend(Kind.LAYER, "p2p")) {
      DeviceSlot slot =
          machine.plug(
              new DeviceAddress("0000:01:00.0"),
              plugin(DeviceModelPlugin.class, Kind.DEVICE_MODEL, "nvme").create(defaults(Kind.DEVICE_MODEL, "nvme")),
              SlotOptions.DEFAULT);
      DriverContext context = DriverContext.of(machine, slot, DmaStack.of(iommu, peers, bounce), defaults(Kind.DRIVER, "nvme"));
      try (NvmeController controller = (NvmeController) plugin(DriverPlugin.class, Kind.DRIVER, "nvme").bind(context)) {
        System.out.println("came back: " + store(controller));
      }
    }
  }

  private static boolean store(NvmeController controller) {
    byte[] stored = new byte[controller.namespace(1).blockSize()];
    new Random(1).nextBytes(stored);
    byte[] back = new byte[stored.length];
    controller.namespace(1).write(7, MemorySegment.ofArray(stored));
    controller.namespace(1).read(7, MemorySegment.ofArray(back));
    return Arrays.equals(stored, back);
  }

  private static Object backend(Kind kind, String name) {
    return plugin(BackendPlugin.class, kind, name).create(defaults(kind, name));
  }

  private static Settings defaults(Kind kind, String name) {
    return Settings.defaults(plugin(DmaPlugin.class, kind, name));
  }

  private static <T extends DmaPlugin> T plugin(Class<T> type, Kind kind, String name) {
    return FOUND.stream().filter(p -> p.kind() == kind && p.name().equals(name)).map(type::cast).findAny().orElseThrow();
  }

  private static String text(DmaPlugin plugin) {
    return plugin.kind().text() + " " + plugin.name();
  }
}
