package io.twostep.stress;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.machine.model.ProbeDevice;

/** The machine that all tests of a JVM share: a state is only a handle or a block of it, since millions are made. It lives as long as the JVM. */
final class World {
  static final long PAGE = 4096;

  static final ModelMachine MACHINE = ModelMachine.create(ModelMachineConfig.defaults());

  /** Behind the IOMMU. */
  static final ProbeDevice DEVICE = new ProbeDevice();

  /** Of {@link #DEVICE}; strict. */
  static final DmaMapper TRANSLATED = translated();

  private World() {}

  /** Attach one more device, for which nothing translates and all is bounced. */
  static DmaMapper bounced() {
    MACHINE.plug(new DeviceAddress("0000:02:00.0"), new ProbeDevice(), SlotOptions.DEFAULT.withTranslation(Translation.NONE)).busMaster(true);
    DmaStack stack = DmaStack.of(new DirectBackend(), new SwiotlbBackend(SwiotlbConfig.defaults().withForce(true)));
    return stack.attach(MACHINE, "0000:02:00.0", DeviceLimits.UNLIMITED);
  }

  private static DmaMapper translated() {
    MACHINE.plug(new DeviceAddress("0000:01:00.0"), DEVICE, SlotOptions.DEFAULT).busMaster(true);
    return DmaStack.of(new IommuBackend(IommuConfig.defaults())).attach(MACHINE, "0000:01:00.0", DeviceLimits.ofBits(48));
  }

  static MemoryBlock page() {
    return MACHINE.memory().allocate(PAGE, MemoryPlacement.SCATTERED);
  }

  /** Run what may be refused; returns 1 if it was done, 0 if it was refused as misuse. */
  static int done(Runnable call) {
    try {
      call.run();
      return 1;
    } catch (IllegalStateException | IllegalArgumentException refused) {
      return 0;
    }
  }
}
