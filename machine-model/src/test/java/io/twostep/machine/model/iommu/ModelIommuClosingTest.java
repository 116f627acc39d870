package io.twostep.machine.model.iommu;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.TableFormat;
import io.twostep.machine.model.IotlbMode;
import io.twostep.machine.model.Machines;
import io.twostep.machine.model.memory.MmioMap;
import io.twostep.machine.model.memory.ModelMemory;
import io.twostep.machine.model.memory.PhysicalLayout;
import io.twostep.machine.model.memory.Rng;
import io.twostep.machine.model.run.MachineLock;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A machine that another thread closes when a call has begun: the hook of failing calls stands for that thread. */
class ModelIommuClosingTest {
  private static final long IOVA = 0x40_0000;

  private final Rng rng = new Rng(Machines.seed());
  private final ModelMemory memory =
      new ModelMemory(PhysicalLayout.of(16L << 20), Path.of(System.getProperty("java.io.tmpdir")), rng, new MmioMap(), () -> false);
  private boolean closing;

  @ParameterizedTest
  @EnumSource(IotlbMode.class)
  void anInvalidationUnderWayIsHarmless(IotlbMode mode) {
    ModelIommu iommu = linked(mode);
    closing = true;
    assertThatCode(() -> iommu.invalidate(IOVA, IOVA + 4095, true)).doesNotThrowAnyException();
  }

  @Test
  void aPublicationUnderWayIsRefusedByName() {
    ModelIommu iommu = linked(IotlbMode.NORMAL);
    closing = true;
    assertThatThrownBy(() -> iommu.publish(IOVA, IOVA + 4095)).isInstanceOf(IllegalStateException.class).hasMessage("machine model is closed");
  }

  private ModelIommu linked(IotlbMode mode) {
    ModelIommu iommu =
        new ModelIommu(
            "group",
            memory,
            new MachineLock(),
            mode,
            new CostModel(0, 0, 0),
            new ModelIommu.Interception(this::closeMeanwhile, this::closeMeanwhile),
            HardwareFormats.of(List.of(TableFormat.VTD_SECOND_STAGE), 39, 4096, 1L << 30),
            39,
            rng);
    TestTables tables = new TestTables(memory, iommu, TableFormat.VTD_SECOND_STAGE, 3);
    tables.map(IOVA, memory.lowestAddress(), TestTables.RW);
    iommu.publish(IOVA, IOVA + 4095);
    return iommu;
  }

  private boolean closeMeanwhile() {
    if (closing) {
      memory.close();
    }
    return false;
  }
}
