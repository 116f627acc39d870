package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.tck.Allocation;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class FlushQueueTest {
  private final List<String> events = new ArrayList<>();
  private final ArrayDeque<Runnable> timers = new ArrayDeque<>();
  private Runnable duringFlush = () -> {};
  private long releasedRanges;

  private FlushQueue queue() {
    return new FlushQueue("test", 1, this::flushAll, this::release, (delayNanos, task) -> {
      assertThat(delayNanos).isEqualTo(FlushQueue.TIMEOUT_NANOS);
      timers.add(task);
    });
  }

  private void flushAll() {
    events.add("flush");
    duringFlush.run();
  }

  private void release(long iova, long granules, long tableChain) {
    events.add(Long.toHexString(iova) + "+" + granules + "/" + tableChain);
    releasedRanges++;
  }

  @Test
  void nothingIsReleasedBeforeTheTimerFlushes() {
    FlushQueue queue = queue();
    queue.add(0x1000, 1, 7);
    queue.add(-0x1000L, 2, 0);
    assertThat(events).isEmpty();
    assertThat(timers).as("one timer for all").hasSize(1);
    timers.remove().run();
    assertThat(events).containsExactly("flush", "1000+1/7", "fffffffffffff000+2/0");
    assertThat(queue.pending()).isZero();
  }

  @Test
  void aRangeQueuedAfterTheTimerRanArmsItAgain() {
    FlushQueue queue = queue();
    queue.add(0x1000, 1, 0);
    Runnable first = timers.remove();
    duringFlush = () -> queue.add(0x2000, 1, 0);
    first.run();
    assertThat(events).as("queued while the flush ran, so not covered by it").containsExactly("flush", "1000+1/0");
    assertThat(timers).hasSize(1);
    duringFlush = () -> {};
    timers.remove().run();
    assertThat(events).containsExactly("flush", "1000+1/0", "flush", "2000+1/0");
  }

  @Test
  void aTimerThatFindsNothingDoesNotFlush() {
    FlushQueue queue = queue();
    queue.add(0x1000, 1, 0);
    queue.drain();
    events.clear();
    timers.remove().run();
    assertThat(events).isEmpty();
    assertThat(queue.flushes()).isEqualTo(1);
  }

  @Test
  void aFullRingFlushesAndReleasesInOrder() {
    FlushQueue queue = queue();
    for (int i = 1; i <= FlushRing.CAPACITY; i++) {
      queue.add(i * 0x1000L, 1, i);
    }
    assertThat(events).isEmpty();
    queue.add(0x7000_0000L, 1, 0);
    assertThat(events).hasSize(FlushRing.CAPACITY + 1).startsWith("flush", "1000+1/1", "2000+1/2");
    assertThat(queue.pending()).isEqualTo(1);
    assertThat(queue.flushes()).isEqualTo(1);
  }

  @Test
  void aFlushThatStartedBeforeTheQueueingDoesNotCover() {
    FlushQueue queue = queue();
    queue.add(0x1000, 1, 0);
    duringFlush =
        () -> {
          duringFlush = () -> {};
          queue.add(0x2000, 1, 0);
          queue.drain();
          assertThat(events).as("the inner flush covers both").containsExactly("flush", "flush", "1000+1/0", "2000+1/0");
          queue.add(0x3000, 1, 0);
        };
    queue.drain();
    assertThat(events).as("the outer flush, started first, covers neither").endsWith("2000+1/0");
    assertThat(queue.pending()).isEqualTo(1);
    queue.add(0x4000, 1, 0);
    assertThat(queue.pending()).isEqualTo(2);
    queue.drain();
    assertThat(events).endsWith("flush", "3000+1/0", "4000+1/0");
  }

  @Test
  void laterCallsReleaseWhatAFinishedFlushCovered() {
    FlushQueue queue = queue();
    for (int i = 1; i <= 3 * FlushRing.CAPACITY + 5; i++) {
      queue.add(i * 0x1000L, 1, 0);
    }
    assertThat(queue.flushes()).as("the ring wrapped").isEqualTo(3);
    assertThat(releasedRanges).isEqualTo(3 * FlushRing.CAPACITY);
  }

  @Test
  void closeReleasesEverythingAndRefusesMore() {
    FlushQueue queue = queue();
    queue.add(0x1000, 1, 0);
    queue.close();
    assertThat(events).containsExactly("flush", "1000+1/0");
    assertThatIllegalStateException()
        .isThrownBy(() -> queue.add(0x5000, 3, 0))
        .withMessageContaining("test: cannot queue 3 granules at IOVA 0x5000");
    timers.remove().run();
    queue.close();
    assertThat(events).containsExactly("flush", "1000+1/0");
  }

  @Test
  void aFailedFlushReleasesNothing() {
    FlushQueue queue = queue();
    for (int i = 1; i <= FlushRing.CAPACITY; i++) {
      queue.add(i * 0x1000L, 1, 0);
    }
    duringFlush =
        () -> {
          throw new IllegalStateException("hardware is gone");
        };
    assertThatThrownBy(() -> queue.add(0x9000, 1, 0)).hasMessage("hardware is gone");
    assertThatThrownBy(queue::drain).hasMessage("hardware is gone");
    assertThat(releasedRanges).isZero();
    assertThat(queue.pending()).isEqualTo(FlushRing.CAPACITY);
    duringFlush = () -> {};
    queue.drain();
    assertThat(releasedRanges).isEqualTo(FlushRing.CAPACITY);
  }

  @Test
  void aTimerThatCannotBeArmedIsTriedAgain() {
    boolean[] broken = {true};
    FlushQueue queue =
        new FlushQueue("test", 1, this::flushAll, this::release, (delayNanos, task) -> {
          if (broken[0]) {
            throw new IllegalStateException("no timer");
          }
          timers.add(task);
        });
    assertThatThrownBy(() -> queue.add(0x1000, 1, 0)).hasMessage("no timer");
    broken[0] = false;
    queue.add(0x2000, 1, 0);
    timers.remove().run();
    assertThat(releasedRanges).isEqualTo(2);
  }

  @Test
  void queueingAllocatesNothing() {
    long[] sum = new long[1];
    FlushQueue queue = new FlushQueue("test", 2, () -> {}, (iova, granules, chain) -> sum[0] += iova, (delay, task) -> {});
    long bytes =
        Allocation.leastBytesOf(
            () -> {
              for (int i = 1; i <= 1000; i++) {
                queue.add(i * 0x1000L, 1, 0);
              }
            });
    assertThat(bytes).isZero();
    assertThat(sum[0]).isPositive();
  }

  @Test
  void noAddressComesBackBeforeAFlushThatCoversIt() throws InterruptedException {
    int threads = 4;
    int rounds = 30_000;
    long space = 1 << 14;
    IovaAllocator allocator = new IovaAllocator(new IovaSpace("test", 0x1000, 0, space * 0x1000 - 1), threads);
    AtomicLong begun = new AtomicLong();
    AtomicLong early = new AtomicLong();
    // Per granule, the number of the first flush that covers the clearing of its translation.
    AtomicIntegerArray covering = new AtomicIntegerArray((int) space);
    AtomicLong complete = new AtomicLong();
    FlushQueue queue =
        new FlushQueue(
            "test",
            threads,
            () -> {
              long number = begun.incrementAndGet();
              Thread.onSpinWait();
              complete.accumulateAndGet(number, Math::max);
            },
            (iova, granules, chain) -> {
              if (covering.get((int) (iova >>> 12)) > complete.get()) {
                early.incrementAndGet();
              }
              allocator.free(iova, granules);
            },
            (delay, task) -> {});
    long seed = Seeds.next();
    CountDownLatch start = new CountDownLatch(1);
    List<Thread> all = new ArrayList<>();
    AtomicLong failed = new AtomicLong();
    for (int t = 0; t < threads; t++) {
      RandomGenerator random = Seeds.random(seed + t);
      Thread thread =
          new Thread(
              () -> {
                await(start);
                for (int i = 0; i < rounds; i++) {
                  int granules = 1 + random.nextInt(4);
                  long iova = allocator.allocate(granules, -1L);
                  if (iova == IovaAllocator.NO_IOVA) {
                    queue.drain();
                    continue;
                  }
                  covering.set((int) (iova >>> 12), (int) begun.get() + 1);
                  queue.add(iova, granules, 0);
                  if (random.nextInt(500) == 0) {
                    queue.drain();
                  }
                }
              });
      thread.setUncaughtExceptionHandler((th, e) -> failed.incrementAndGet());
      thread.start();
      all.add(thread);
    }
    start.countDown();
    for (Thread thread : all) {
      thread.join();
    }
    queue.close();
    assertThat(failed).as("seed " + seed).hasValue(0);
    assertThat(early).as("released before a covering flush, seed " + seed).hasValue(0);
    assertThat(allocator.statistics().liveRanges()).isZero();
    assertThat(queue.pending()).isZero();
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
