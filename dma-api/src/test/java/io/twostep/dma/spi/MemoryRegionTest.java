package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class MemoryRegionTest {
  private final MemoryRegion region = new MemoryRegion(MemoryKind.RAM, "block 7");

  @Test
  void cannotRetireWhileHeld() {
    assertThat(region.tryPin(3)).isTrue();
    assertThat(region.tryRetire()).isFalse();
    region.unpin(2);
    assertThat(region.pins()).isEqualTo(1);
    assertThat(region.tryRetire()).isFalse();
    region.unpin();
    assertThat(region.tryRetire()).isTrue();
    assertThat(region.tryRetire()).as("again").isTrue();
  }

  @Test
  void cannotBeHeldOnceRetired() {
    assertThat(region.tryRetire()).isTrue();
    assertThat(region.tryPin()).isFalse();
    assertThat(region.pins()).isZero();
    assertThatThrownBy(region::unpin).isInstanceOf(IllegalStateException.class);
    assertThat(region.tryPin()).as("after a wrong unpin").isFalse();
  }

  @Test
  void refusesToBeLetGoMoreOftenThanHeld() {
    assertThat(region.tryPin()).isTrue();
    assertThatThrownBy(() -> region.unpin(2)).isInstanceOf(IllegalStateException.class).hasMessageContaining("block 7");
    assertThat(region.pins()).isEqualTo(1);
    region.unpin();
    assertThatThrownBy(region::unpin).isInstanceOf(IllegalStateException.class);
    assertThat(region.tryPin()).isTrue();
  }

  @Test
  void holdersAndRetirersOnManyThreadsAgree() throws Exception {
    int threads = 4;
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      for (int round = 0; round < 200; round++) {
        MemoryRegion shared = new MemoryRegion(MemoryKind.RAM, "shared");
        CyclicBarrier start = new CyclicBarrier(threads);
        AtomicInteger heldAfterRetire = new AtomicInteger();
        AtomicInteger retired = new AtomicInteger();
        List<Future<?>> running = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
          boolean retires = t == 0;
          Callable<Void> task =
              () -> {
                start.await();
                for (int i = 0; i < 300; i++) {
                  if (retires && shared.tryRetire()) {
                    retired.set(1);
                    return null;
                  }
                  if (!retires && shared.tryPin(1 + i % 3)) {
                    if (retired.get() == 1) {
                      heldAfterRetire.incrementAndGet();
                    }
                    shared.unpin(1 + i % 3);
                  }
                }
                return null;
              };
          running.add(pool.submit(task));
        }
        for (Future<?> each : running) {
          each.get();
        }
        assertThat(heldAfterRetire).hasValue(0);
        assertThat(shared.pins()).isZero();
        assertThat(shared.tryRetire()).isTrue();
      }
    }
  }
}
