package io.twostep.examples;

import com.google.inject.Guice;
import com.google.inject.Inject;
import com.google.inject.name.Named;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.machine.model.ProbeDevice;
import io.twostep.platform.Platform;
import io.twostep.platform.PlatformModule;
import java.nio.charset.StandardCharsets;

/** The same as {@link MapABuffer}, with plugins found by name and the mapper injected. */
public final class MapABufferWithGuice {
  private static final String DEVICE = "0000:01:00.0";

  private final DmaMapper mapper;
  private final PhysicalMemory memory;

  @Inject
  MapABufferWithGuice(@Named(DEVICE) DmaMapper mapper, PhysicalMemory memory) {
    this.mapper = mapper;
    this.memory = memory;
  }

  /** Assemble a platform by names, inject, and run. */
  public static void main(String[] arguments) {
    try (Platform platform = Platform.builder().machine("model").device(DEVICE, "probe", d -> d.backends("iommu")).build()) {
      Guice.createInjector(new PlatformModule(platform))
          .getInstance(MapABufferWithGuice.class)
          .show(platform.model(DEVICE, ProbeDevice.class));
    }
  }

  private void show(ProbeDevice device) {
    mapper.slot().busMaster(true);
    try (MemoryBlock pages = memory.allocate(8192, MemoryPlacement.SCATTERED);
        IovaReservation window = mapper.newReservation()) {
      pages.segment().setString(4090, "hello, device");
      if (!window.tryAlloc(pages.phys(0), 8192, DmaDirection.TO_DEVICE, DmaAttributes.NONE)) {
        throw new IllegalStateException("nothing translates for this device; use a DmaTransfer");
      }
      window.link(0, pages.phys(0), 4096);
      window.link(4096, pages.phys(4096), 4096);
      window.sync(0, 8192);
      byte[] seen = device.read(window.address() + 4090, 13);
      System.out.printf("frames 0x%x and 0x%x, one range at 0x%x%n", pages.phys(0), pages.phys(4096), window.address());
      System.out.println("the device sees: " + new String(seen, StandardCharsets.UTF_8));
    }
  }
}
