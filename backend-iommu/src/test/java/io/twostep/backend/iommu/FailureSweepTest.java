package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.FailNth;
import io.twostep.tck.ProbeDevice;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The same work again and again, each time with the next call of one kind failing: nothing is ever left behind. */
class FailureSweepTest {
  @ParameterizedTest
  @EnumSource(names = {"ALLOCATE", "PUBLISH", "INVALIDATE"})
  @Tag("breaks:overlapping-write")
  void everyCallMayFailWithoutLeavingAnything(FailNth.Kind kind) {
    for (FlushPolicy flush : FlushPolicy.values()) {
      boolean fired = true;
      for (int n = 1; fired; n++) {
        fired = runWithFailure(kind, flush, n);
        assertThat(n).as("the sweep ends").isLessThan(500);
      }
    }
  }

  private static boolean runWithFailure(FailNth.Kind kind, FlushPolicy flush, int n) {
    try (Rig rig = new Rig("iotlb", "normal")) {
      DeviceSlot slot = rig.plug(new ProbeDevice(), SlotOptions.DEFAULT);
      MemoryBlock block = rig.memory().allocate(8 << 20, MemoryPlacement.CONTIGUOUS);
      IommuBackend backend = new IommuBackend(IommuConfig.defaults().withFlush(flush));
      long frames = rig.machine.stats().framesInUse();
      rig.machine.failNth().arm(kind, n);
      DmaMapper mapper = null;
      try {
        mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
      } catch (DmaMappingException e) {
        assertThat(kind).isEqualTo(FailNth.Kind.ALLOCATE);
      }
      if (mapper != null) {
        work(mapper, block.phys(0));
        boolean fired = rig.machine.failNth().fired();
        rig.machine.failNth().disarm();
        assertThat(mapper.liveMappings()).isZero();
        assertThat(mapper.releaseQuarantined()).isZero();
        mapper.awaitQuiescence();
        assertThat(backend.statistics().liveRanges()).as("%s %d, fired %s", kind, n, fired).isZero();
        mapper.close();
      }
      assertThat(backend.statistics().leaks()).isZero();
      assertThat(backend.statistics().tableBytes()).isZero();
      assertThat(rig.machine.stats().framesInUse()).isEqualTo(frames);
      block.close();
      return rig.machine.failNth().fired();
    }
  }

  private static void work(DmaMapper mapper, long phys) {
    tolerate(() -> {
      try (DmaMapping mapping = mapper.map(phys + 5, 10_000, DmaDirection.BIDIRECTIONAL, 0)) {
        mapping.syncForCpu(0, 1);
      }
    });
    tolerate(() -> {
      try (IovaReservation window = mapper.newReservation()) {
        window.tryAlloc(0, 6 << 20, 0, -1L, DmaDirection.BIDIRECTIONAL, 0, true);
        window.link(0, phys, 2 << 20);
        window.link(4 << 20, phys, 4096);
        window.sync(0, 6 << 20);
        window.unlink(4 << 20, 4096);
      }
    });
    tolerate(() -> {
      try (IovaReservation window = mapper.newReservation()) {
        window.tryAlloc(0, 4 << 20, DmaDirection.BIDIRECTIONAL, 0);
        window.link(0, phys, 4096);
        window.sync(0, 4096);
        window.unlink(0, 4096);
        window.link(0, phys, 4 << 20);
        window.sync(0, 4 << 20);
      }
    });
    tolerate(() -> {
      try (SparseWindow window = mapper.newWindow(8 << 20, 2 << 20, DmaDirection.BIDIRECTIONAL, 0)) {
        window.link(2 << 20, phys, 4 << 20, DmaDirection.TO_DEVICE);
        window.protect(2 << 20, 2 << 20, DmaDirection.BIDIRECTIONAL);
        window.unlink(2 << 20, 2 << 20);
      }
    });
  }

  private static void tolerate(Runnable step) {
    try {
      step.run();
    } catch (DmaMappingException e) {
      assertThat(e.getMessage()).isNotBlank();
    }
  }
}
