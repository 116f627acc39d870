package io.twostep.guest.figures;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbBackendPlugin;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.linux.LinuxMachine;
import io.twostep.machine.linux.LinuxMachineConfig;
import io.twostep.machine.linux.LinuxMachineConfig.Addressing;
import java.util.List;
import java.util.Map;

/** What it costs to map a request that the device overwrites, and to unmap it, through VFIO: nothing is moved but what bouncing copies. */
enum MapCosts {
  MAPPED("mapped per request", Addressing.TRANSLATED, false),
  REGISTERED("registered", Addressing.REGISTERED, false),
  BOUNCED("bounced", Addressing.REGISTERED, true);

  private static final long MEMORY = 64L << 20;

  private final String how;
  private final Addressing addressing;
  private final boolean bounced;

  MapCosts(String how, Addressing addressing, boolean bounced) {
    this.how = how;
    this.addressing = addressing;
    this.bounced = bounced;
  }

  List<String> labels(int length) {
    return List.of(how, (length >> 10) + " KiB");
  }

  /** Map and unmap for some seconds and return nanoseconds for both together. */
  double run(String address, int length, int seconds) {
    SwiotlbBackendPlugin plugin = new SwiotlbBackendPlugin();
    Settings settings = Settings.of(plugin, Map.of("force", "true"));
    try (LinuxMachine machine = LinuxMachine.open(LinuxMachineConfig.DEFAULT.withMemory(MEMORY).withAddressing(addressing));
        TerminalBackend terminal = addressing == Addressing.REGISTERED ? new DirectBackend() : new IommuBackend(IommuConfig.defaults());
        SwiotlbBackend swiotlb = plugin.create(settings);
        DmaMapper mapper =
            DmaStack.of(terminal, bounced ? List.<LayerBackend>of(swiotlb) : List.of())
                .attach(machine, machine.slot(new DeviceAddress(address)), DeviceLimits.ofBits(64));
        MemoryBlock block = machine.memory().allocate(length, MemoryPlacement.CONTIGUOUS);
        DmaMapping mapping = mapper.newMapping()) {
      run(mapping, block, 1);
      return run(mapping, block, seconds);
    }
  }

  private static double run(DmaMapping mapping, MemoryBlock block, int seconds) {
    long start = System.nanoTime();
    long end = start + seconds * 1_000_000_000L;
    long done = 0;
    while (System.nanoTime() - end < 0) {
      for (int i = 0; i < 16; i++) {
        mapping.map(block.phys(0), block.length(), DmaDirection.FROM_DEVICE, DmaAttributes.OVERWRITE);
        mapping.unmap();
      }
      done += 16;
    }
    return (double) (System.nanoTime() - start) / done;
  }
}
