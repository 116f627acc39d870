package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Two threads free the same range at the same moment, over and over: one succeeds, and the other is told. */
class DoubleFreeRaceTest {
  private static final int ROUNDS = 3_000;
  private static final int SHIFT = 12;

  /** Sizes of all three kinds of record. */
  @ParameterizedTest
  @ValueSource(ints = {1, 40, 1000})
  void exactlyOneOfTwoThreadsFreesARange(int granules) throws InterruptedException {
    IovaAllocator allocator = new IovaAllocator(new IovaSpace("raced", 1L << SHIFT, 0, (1L << 40) - 1), 2);
    AtomicLong offered = new AtomicLong(-1);
    AtomicInteger freed = new AtomicInteger();
    AtomicInteger done = new AtomicInteger();
    Thread other =
        new Thread(
            () -> {
              long last = -1;
              for (int round = 0; round < ROUNDS; round++) {
                long seen = last;
                spinWhile(() -> offered.get() == seen);
                last = offered.get();
                free(allocator, last >>> 1, granules, freed);
                done.incrementAndGet();
              }
            });
    other.start();
    int twice = 0;
    int never = 0;
    for (int round = 0; round < ROUNDS; round++) {
      long iova = allocator.allocate(granules, -1L);
      freed.set(0);
      // The lowest bit tells one offer of an address from the next.
      offered.set(iova << 1 | round & 1);
      free(allocator, iova, granules, freed);
      int finished = round + 1;
      spinWhile(() -> done.get() != finished && other.isAlive());
      twice += freed.get() == 2 ? 1 : 0;
      never += freed.get() == 0 ? 1 : 0;
    }
    other.join();
    assertThat(done).as("rounds that the other thread came through").hasValue(ROUNDS);
    assertThat(twice).as("freed twice").isZero();
    assertThat(never).as("freed by nobody").isZero();
    assertThat(allocator.statistics().liveRanges()).isZero();
  }

  /** Wait for the other thread, which may have no processor. */
  @SuppressWarnings("ThreadPriorityCheck") // only the waiting time rests on the yield
  private static void spinWhile(BooleanSupplier condition) {
    for (int spins = 0; condition.getAsBoolean(); spins++) {
      if (spins < 10_000) {
        Thread.onSpinWait();
      } else {
        Thread.yield();
      }
    }
  }

  private static void free(IovaAllocator allocator, long iova, int granules, AtomicInteger freed) {
    try {
      allocator.free(iova, granules);
      freed.incrementAndGet();
    } catch (IllegalArgumentException e) {
      assertThat(e).hasMessageContaining("no live range begins there");
    }
  }
}
