package io.twostep.device.vfio;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
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
import java.util.stream.IntStream;

/** A machine with a guest and its devices; at close nothing may be held. */
public final class Host implements AutoCloseable {
  public final ModelMachine machine;
  public final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
  private final P2pBackend p2p = new P2pBackend(P2pConfig.defaults());
  public final List<MigratableModel> models = new ArrayList<>();
  public final List<MigratableDevice> devices = new ArrayList<>();
  public final GuestMemory guest;

  public Host(long seed, String iotlb, long guestBytes, int deviceCount, ModelConfig config) {
    this(Map.of("memory", "64M", "iotlb", iotlb, "seed", String.valueOf(seed & 0xffff_ffffL), "order", "random"), guestBytes, places(deviceCount), config, false);
  }

  /** A machine of any settings, with devices in some places. */
  public Host(Map<String, String> settings, long guestBytes, List<String> places, ModelConfig config) {
    this(settings, guestBytes, places, config, false);
  }

  /** A machine whose stack may have a peer layer. */
  public Host(Map<String, String> settings, long guestBytes, List<String> places, ModelConfig config, boolean peers) {
    machine = ModelMachine.create(ModelMachineConfig.of(settings));
    guest = new GuestMemory(machine.memory(), guestBytes);
    for (String place : places) {
      MigratableModel model = new MigratableModel(config);
      DeviceSlot slot = machine.plug(new DeviceAddress(place), model, SlotOptions.DEFAULT);
      MigratableDevice device = MigratableDevice.open(DriverContext.of(machine, slot, peers ? DmaStack.of(iommu, p2p) : DmaStack.of(iommu), Settings.defaults(new MigratableDriverPlugin())));
      device.assign(guest);
      models.add(model);
      devices.add(device);
    }
  }

  private static List<String> places(int count) {
    return IntStream.rangeClosed(1, count).mapToObj(i -> "0000:0" + i + ":00.0").toList();
  }

  public long pieces() {
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
    p2p.close();
    assertThat(iommu.statistics()).isEqualTo(new IommuBackend(IommuConfig.defaults()).statistics());
    assertThat(machine.stats().framesInUse()).as("frames in use").isZero();
    assertThat(machine.stats().strayAccesses()).as("accesses to frames that nobody owns").isZero();
    machine.close();
  }
}
