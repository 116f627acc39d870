package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.tck.Allocation;
import io.twostep.tck.ForwardingIommu;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("unchecked")
class HotPathTest {
  /** Hardware that does nothing, so that only this backend is measured. */
  private static final class Idle extends ForwardingIommu {
    Idle(TableWalkingIommu real) {
      super(real);
    }

    @Override
    public void publish(long firstIova, long lastIova) {}

    @Override
    public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {}
  }

  @ParameterizedTest
  @EnumSource
  void warmHandlesAllocateNothing(FlushPolicy flush) {
    try (Rig rig = new Rig(Idle::new)) {
      DeviceSlot slot = rig.plug(new ProbeDevice(), SlotOptions.DEFAULT);
      MemoryBlock block = rig.memory().allocate(4 << 20, MemoryPlacement.CONTIGUOUS);
      long phys = block.phys(0);
      try (DmaMapper mapper = rig.attach(new IommuBackend(IommuConfig.defaults().withFlush(flush)), slot, DeviceLimits.UNLIMITED);
          DmaMapping mapping = mapper.newMapping();
          IovaReservation window = mapper.newReservation();
          SparseWindow sparse = mapper.newWindow(4 << 20, 4096, DmaDirection.BIDIRECTIONAL, 0);
          InvalidationBatch batch = mapper.newBatch()) {
        Runnable work =
            () -> {
              mapping.map(phys + 100, 8192, DmaDirection.TO_DEVICE, 0);
              mapping.unmap();
              mapping.map(phys, 2 << 20, DmaDirection.TO_DEVICE, 0);
              mapping.unmap(batch);
              window.tryAlloc(phys, 16 * 4096, DmaDirection.FROM_DEVICE, 0);
              for (int i = 0; i < 16; i++) {
                window.link(i * 4096L, phys + (15 - i) * 4096L, 4096);
              }
              window.sync(0, 16 * 4096);
              window.unlink(4096, 8192);
              window.destroy(batch);
              batch.complete();
              sparse.link(8192, phys, 4096, DmaDirection.TO_DEVICE);
              sparse.unlink(8192, 4096);
            };
        // A flush, once in 256 unmaps, may allocate until it is compiled too: less than a byte for each of the 500 runs.
        assertThat(Allocation.leastBytesOf(work)).isLessThan(flush == FlushPolicy.STRICT ? 1 : 500);
      }
      block.close();
    }
  }

  @Test
  void devicesOfOneSpaceMapAtTheSameTimeWithoutMeetingEachOther() throws Exception {
    try (Rig rig = new Rig("iotlb", "normal")) {
      SlotOptions group = SlotOptions.DEFAULT.withGroup("7");
      IommuBackend backend = new IommuBackend(IommuConfig.defaults());
      List<Future<?>> running = new ArrayList<>();
      List<DmaMapper> mappers = new ArrayList<>();
      try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
        for (int t = 0; t < 4; t++) {
          ProbeDevice device = new ProbeDevice();
          DmaMapper mapper = rig.attach(backend, rig.plug(device, group), DeviceLimits.UNLIMITED);
          mappers.add(mapper);
          long seed = t;
          running.add(
              threads.submit(
                  () -> {
                    // Strictness of dead addresses is not asked for: another thread may have mapped there.
                    DeviceHistory history = new DeviceHistory(rig, mapper, device, false, seed);
                    history.run(40);
                    history.close();
                  }));
        }
        for (Future<?> thread : running) {
          thread.get();
        }
      }
      assertThat(backend.statistics().liveRanges()).isZero();
      mappers.forEach(DmaMapper::close);
      assertThat(backend.statistics()).isEqualTo(IommuStatistics.NONE);
    }
  }
}
