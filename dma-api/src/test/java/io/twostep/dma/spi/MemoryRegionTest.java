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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
  void spansExactlyTheRunItIsKnownToBe() {
    MemoryRegion run = new MemoryRegion(MemoryKind.RAM, "run", 0x1000, 0x3000);
    assertThat(run.spans(0x1000, 0x3000)).isTrue();
    assertThat(run.spans(0x3fff, 1)).isTrue();
    assertThat(run.spans(0x3fff, 2)).isFalse();
    assertThat(run.spans(0x4000, 1)).isFalse();
    assertThat(run.spans(0xfff, 1)).isFalse();
    assertThat(run.spans(0x1000, 0)).isFalse();
    assertThat(run.spans(0x1000, -1)).isFalse();
    assertThat(run.spans(0x1000, Long.MIN_VALUE)).isFalse();
    assertThat(run.spans(0x2000, Long.MAX_VALUE)).isFalse();
    assertThat(run.spans(Long.MIN_VALUE + 0x1000, 1)).isFalse();
    assertThat(run.spans(-1, 1)).isFalse();
    assertThat(region.spans(0, 1)).as("a region that is no run").isFalse();
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

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void refusesToBeHeldOrLetGoOfLessThanOnce(long times) {
    assertThat(region.tryPin()).isTrue();
    assertThatThrownBy(() -> region.tryPin(times)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("block 7");
    assertThatThrownBy(() -> region.unpin(times)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("block 7");
    assertThat(region.pins()).isEqualTo(1);
    region.unpin();
    assertThat(region.tryRetire()).isTrue();
  }

  @Test
  void takingBackRunsItsTaskOnceWhoeverEndsTheRegion() {
    AtomicInteger free = new AtomicInteger();
    assertThat(region.tryPin(2)).isTrue();
    region.revoke(free::incrementAndGet);
    assertThatThrownBy(() -> region.revoke(() -> {})).isInstanceOf(IllegalStateException.class).hasMessageContaining("block 7");
    region.unpin();
    assertThat(free).hasValue(0);
    region.unpin();
    assertThat(free).hasValue(1);

    MemoryRegion retired = new MemoryRegion(MemoryKind.RAM, "closed while its owner takes it back");
    assertThat(retired.tryRetire()).isTrue();
    retired.revoke(free::incrementAndGet);
    assertThat(free).hasValue(2);
    assertThat(retired.tryPin()).isFalse();
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
