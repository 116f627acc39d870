package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;

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
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A machine with a guest and its devices; at close nothing may be held. */
final class Host implements AutoCloseable {
  final ModelMachine machine;
  final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
  final List<MigratableModel> models = new ArrayList<>();
  final List<MigratableDevice> devices = new ArrayList<>();
  final GuestMemory guest;

  Host(long seed, String iotlb, long guestBytes, int deviceCount, ModelConfig config) {
    machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M", "iotlb", iotlb, "seed", String.valueOf(seed & 0xffff_ffffL), "order", "random")));
    guest = new GuestMemory(machine.memory(), guestBytes);
    for (int i = 0; i < deviceCount; i++) {
      MigratableModel model = new MigratableModel(config);
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:0" + (i + 1) + ":00.0"), model, SlotOptions.DEFAULT);
      MigratableDevice device = MigratableDevice.open(DriverContext.of(machine, slot, DmaStack.of(iommu), Settings.defaults(new MigratableDriverPlugin())));
      device.assign(guest);
      models.add(model);
      devices.add(device);
    }
  }

  long pieces() {
    return models.stream().mapToLong(MigratableModel::pieces).sum();
  }

  @Override
  public void close() {
    for (MigratableDevice device : devices) {
      device.close();
      assertThat(device.mapper().liveMappings()).as("live mappings").isZero();
      assertThat(device.mapper().quarantined()).as("quarantined").isZero();
    }
    assertThat(models.stream().mapToLong(MigratableModel::refusedWrites).sum()).as("writes to stopped devices").isZero();
    guest.close();
    assertThat(iommu.statistics()).isEqualTo(new IommuBackend(IommuConfig.defaults()).statistics());
    assertThat(machine.stats().framesInUse()).as("frames in use").isZero();
    assertThat(machine.stats().strayAccesses()).as("accesses to frames that nobody owns").isZero();
    machine.close();
  }
}
