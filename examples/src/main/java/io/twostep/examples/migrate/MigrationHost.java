package io.twostep.examples.migrate;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigratableDriverPlugin;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.model.MigratableModel;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.examples.nvme.Meter;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A machine with a guest's memory and devices, in real time. */
final class MigrationHost implements AutoCloseable {
  /** Memory of the machine beside the guest's: tables, and buffers for the devices' state. */
  static final long EXTRA = 256L << 20;

  private static final int INTERNAL_PAGES = 256;

  final ModelMachine machine;
  final List<MigratableDevice> devices = new ArrayList<>();
  final GuestMemory guest;
  private final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
  private final Meter meter = new Meter();

  MigrationHost(MigrateOptions options) {
    machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", Long.toString(options.memoryBytes() + EXTRA), "time", "real")));
    guest = new GuestMemory(machine.memory(), options.memoryBytes());
    DmaStack stack = DmaStack.of(iommu, meter.layer());
    ModelConfig config = ModelConfig.DEFAULT.withInternalPages(INTERNAL_PAGES);
    for (int i = 0; i < options.devices(); i++) {
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:0" + (i + 1) + ":00.0"), new MigratableModel(config), SlotOptions.DEFAULT);
      MigratableDevice device = MigratableDevice.open(DriverContext.of(machine, slot, stack, Settings.defaults(new MigratableDriverPlugin())));
      devices.add(device);
      device.assign(guest);
    }
  }

  long iovaAllocations() {
    return meter.iovaAllocations();
  }

  long invalidations() {
    return machine.stats().invalidations();
  }

  long listBytes() {
    return devices.stream().mapToLong(device -> device.buffers().listBytes()).sum();
  }

  long listedPages() {
    return devices.stream().mapToLong(device -> device.buffers().pages()).sum();
  }

  @Override
  public void close() {
    devices.forEach(MigratableDevice::close);
    guest.close();
    iommu.close();
    machine.close();
  }
}
