package io.twostep.benchmarks.machine;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.spi.TableFormat;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

class CountingIommuTest {
  private static final int THREADS = 4;
  private static final int TIMES = 20_000;

  @Test
  void everyInvalidationOfEveryThreadIsCounted() {
    try (MappedDevice device = MappedDevice.on(TableFormat.VTD_SECOND_STAGE)) {
      try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
        for (int i = 0; i < THREADS; i++) {
          long phys = new ScatteredPages(1, i).phys[0];
          threads.submit(() -> mapAndUnmap(device, phys));
        }
      }
      assertThat(device.counters().invalidations()).isEqualTo(THREADS * TIMES);
      assertThat(device.counters().publishes()).isEqualTo(THREADS * TIMES);
    }
  }

  private static void mapAndUnmap(MappedDevice device, long phys) {
    try (DmaMapping mapping = device.mapper.newMapping()) {
      for (int i = 0; i < TIMES; i++) {
        mapping.map(phys, 4096, DmaDirection.TO_DEVICE, DmaAttributes.NONE);
        mapping.unmap();
      }
    }
  }
}
