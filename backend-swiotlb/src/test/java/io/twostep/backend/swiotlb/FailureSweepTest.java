package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.FailNth;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Makes each call of the machine fail once: nothing may leak, and what could not be invalidated stays out of use until a reset. */
class FailureSweepTest {
  private static final int GRANULE = 4096;

  @ParameterizedTest
  @EnumSource(value = FailNth.Kind.class, names = {"ALLOCATE", "PUBLISH", "INVALIDATE"})
  void aFailureAtAnyCallLeavesNothingBehind(FailNth.Kind kind) {
    int failures = 0;
    boolean fired = true;
    for (int n = 1; fired; n++) {
      SlotOptions untrusted = SlotOptions.DEFAULT.withTrusted(false);
      try (Rig rig = new Rig(new IommuBackend(IommuConfig.defaults()), untrusted, DeviceLimits.UNLIMITED, Rig.CONFIG)) {
        MemoryBlock block = rig.allocate(8 * GRANULE, MemoryPlacement.CONTIGUOUS);
        rig.machine.failNth().arm(kind, n);
        try {
          work(rig, block);
        } catch (DmaMappingException e) {
          failures++;
        }
        fired = rig.machine.failNth().fired();
        rig.machine.failNth().disarm();
        requireWithheldOrFree(rig, kind);
        rig.slot.reset();
        rig.slot.busMaster(true);
        assertThat(rig.mapper.releaseQuarantined()).isZero();
        work(rig, block);
      }
    }
    assertThat(failures).isPositive();
  }

  private static void requireWithheldOrFree(Rig rig, FailNth.Kind kind) {
    if (kind != FailNth.Kind.INVALIDATE) {
      assertThat(rig.slotsUsed()).isZero();
    } else if (rig.mapper.quarantined() == 0) {
      assertThat(rig.slotsUsed()).isZero();
    }
  }

  private static void work(Rig rig, MemoryBlock block) {
    int length = 3 * GRANULE;
    try (DmaMapping mapping = rig.mapper.map(block.phys(100), length, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE)) {
      assertThat(rig.device.write(mapping.dmaAddress(), Rig.patterned(length, 3))).isTrue();
    }
    try (DmaMapping mapping = rig.mapper.map(MemorySegment.ofArray(new byte[5000]), DmaDirection.FROM_DEVICE, DmaAttributes.NONE)) {
      assertThat(rig.device.write(mapping.dmaAddress(), new byte[5000])).isTrue();
    }
    try (IovaReservation window = rig.mapper.newReservation()) {
      window.tryAlloc(100, length, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
      window.link(0, block.phys(100), GRANULE - 100);
      window.link(GRANULE - 100, block.phys(4 * GRANULE), length - GRANULE + 100);
      window.sync(0, length);
      assertThat(rig.device.read(window.address(), length)).isNotNull();
      window.unlink(0, GRANULE - 100);
    }
  }
}
