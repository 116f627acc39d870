package io.twostep.device.vfio;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.ProbeDevice;
import java.util.Map;

/** A machine with an adversarial translation cache and a probe; at close nothing may be held. */
public final class Rig implements AutoCloseable {
  public final ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "256M", "iotlb", "adversarial")));
  public final ProbeDevice probe = new ProbeDevice();
  public final DeviceSlot slot;
  public final DmaMapper mapper;
  public final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());

  private Rig(boolean translated) {
    SlotOptions options = translated ? SlotOptions.DEFAULT : SlotOptions.DEFAULT.withTranslation(AddressSpace.Translation.NONE);
    slot = machine.plug(new DeviceAddress("0000:01:00.0"), probe, options);
    slot.busMaster(true);
    mapper = (translated ? DmaStack.of(iommu) : DmaStack.of(new DirectBackend())).attach(machine, slot, DeviceLimits.ofBits(48));
  }

  public static Rig translated() {
    return new Rig(true);
  }

  public static Rig direct() {
    return new Rig(false);
  }

  @Override
  public void close() {
    assertThat(mapper.liveMappings()).as("live mappings").isZero();
    assertThat(mapper.quarantined()).as("quarantined").isZero();
    mapper.close();
    assertThat(iommu.statistics()).isEqualTo(new IommuBackend(IommuConfig.defaults()).statistics());
    assertThat(machine.stats().framesInUse()).as("frames in use").isZero();
    assertThat(machine.stats().strayAccesses()).as("accesses to frames that nobody owns").isZero();
    machine.close();
  }
}
