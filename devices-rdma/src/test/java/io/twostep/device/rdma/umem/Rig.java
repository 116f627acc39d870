package io.twostep.device.rdma.umem;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.ProbeDevice;
import java.util.Map;

/** A machine with an adversarial translation cache, a probe and frames for processes; at close nothing of all that may be held. */
final class Rig implements AutoCloseable {
  final ModelMachine machine;
  final ProbeDevice probe = new ProbeDevice();
  final FramePool pool;
  final DeviceSlot slot;
  final DmaMapper mapper;
  final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());

  Rig(boolean translated, SlotOptions options) {
    machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "1G", "iotlb", "adversarial")));
    slot =
        machine.plug(
            new DeviceAddress("0000:01:00.0"), probe, translated ? options : options.withTranslation(AddressSpace.Translation.NONE));
    slot.busMaster(true);
    mapper = (translated ? DmaStack.of(iommu) : DmaStack.of(new DirectBackend())).attach(machine, slot, DeviceLimits.ofBits(48));
    pool = new FramePool(machine.memory(), MemoryPlacement.SCATTERED, 256L << 20);
  }

  static Rig translated() {
    return new Rig(true, SlotOptions.DEFAULT);
  }

  /** Return a source whose faults wait for changes of another thread for as long as those take: virtual time may run away while that thread has no processor. */
  OnDemandSource patientSource(ProcessMemory process) {
    return new OnDemandSource(mapper, process, machine.timers(), Long.MAX_VALUE / 2);
  }

  @Override
  public void close() {
    assertThat(mapper.liveMappings()).as("live mappings").isZero();
    assertThat(mapper.quarantined()).as("quarantined").isZero();
    mapper.close();
    assertThat(iommu.statistics()).isEqualTo(new IommuBackend(IommuConfig.defaults()).statistics());
    pool.close();
    assertThat(machine.stats().framesInUse()).as("frames in use").isZero();
    assertThat(machine.stats().strayAccesses()).as("accesses to frames that nobody owns").isZero();
    machine.close();
  }
}
