package io.twostep.examples.copy;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the guide to drivers shows works. */
class CopyABlockTest {
  @ParameterizedTest
  @CsvSource({"direct, none", "iommu, translated"})
  void aScatteredBlockIsCopied(String backend, String translation) {
    assertThat(CopyABlock.copy(backend, translation)).isTrue();
  }

  @Test
  void aClosedDriverLeavesItsDeviceToOthers() {
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.defaults());
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
        IommuBackend another = new IommuBackend(IommuConfig.defaults())) {
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), new CopyEngine(), SlotOptions.DEFAULT);
      Settings none = Settings.defaults(new CopyDriverPlugin());
      new CopyDriver(DriverContext.of(machine, slot, DmaStack.of(iommu), none)).close();
      new CopyDriver(DriverContext.of(machine, slot, DmaStack.of(another), none)).close();
    }
  }
}
