package io.twostep.examples;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.ProbeDevice;
import java.nio.charset.StandardCharsets;

/** Give a device one address range for scattered pages: no driver, no injector, no ServiceLoader. */
public final class MapABuffer {
  private MapABuffer() {}

  /** Reserve, link, sync, and print what the device sees. */
  public static void main(String[] arguments) {
    ProbeDevice device = new ProbeDevice();
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.defaults());
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
        MemoryBlock pages = machine.memory().allocate(8192, MemoryPlacement.SCATTERED)) {
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), device, SlotOptions.DEFAULT);
      slot.busMaster(true);
      pages.segment().setString(4090, "hello, device");
      try (DmaMapper mapper = DmaStack.of(iommu).attach(machine, slot, DeviceLimits.ofBits(48));
          IovaReservation window = mapper.newReservation()) {
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
}
