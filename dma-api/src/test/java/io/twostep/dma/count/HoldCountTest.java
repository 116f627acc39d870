package io.twostep.dma.count;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** The count as a single number, with its threads spread over places of their own all the while. */
class HoldCountTest {
  private static final int THREADS = 4;

  private final HoldCount count = new HoldCount();
  private final AtomicInteger zero = new AtomicInteger();
  private ExecutorService other;

  @BeforeEach
  void spread() {
    other = Executors.newFixedThreadPool(THREADS);
    count.spread();
  }

  @AfterEach
  void end() {
    other.close();
  }

  private <T> T onAnotherThread(Callable<T> task) throws Exception {
    return other.submit(task).get();
  }

  @Test
  void oneThreadLetsGoOfWhatOthersHold() throws Exception {
    assertThat(onAnotherThread(() -> count.tryAdd(2))).isTrue();
    assertThat(onAnotherThread(() -> count.tryAdd(3))).isTrue();
    assertThat(count.tryRemove(6)).as("more than all hold together").isFalse();
    assertThat(count.tryRemove(5)).isTrue();
    assertThat(count.tryRemove(1)).isFalse();
    assertThat(count.sum()).isZero();
  }

  @Test
  void whatIsHeldAnywhereKeepsTheCountOpen() throws Exception {
    assertThat(onAnotherThread(() -> count.tryAdd(1))).isTrue();
    assertThat(count.tryClose()).isFalse();
    count.spread();
    assertThat(count.tryAdd(1)).as("after a close that was refused").isTrue();
    assertThat(count.tryRemove(2)).isTrue();
    assertThat(count.tryClose()).isTrue();
    assertThat(count.tryClose()).as("again").isTrue();
  }

  @Test
  void nothingIsAddedAnywhereOnceClosed() throws Exception {
    assertThat(onAnotherThread(() -> count.tryAdd(1))).isTrue();
    assertThat(count.close(zero::incrementAndGet)).isTrue();
    count.spread();
    assertThat(count.tryAdd(1)).isFalse();
    assertThat(onAnotherThread(() -> count.tryAdd(1))).isFalse();
    assertThat(count.close(() -> zero.set(100))).as("closed and still held").isFalse();
    assertThat(onAnotherThread(count::tryAddToHeld)).as("for somebody who holds").isTrue();
    assertThat(count.sum()).isEqualTo(2);
    assertThat(count.tryRemove(1)).isTrue();
    assertThat(zero).hasValue(0);
    assertThat(onAnotherThread(() -> count.tryRemove(1))).isTrue();
    assertThat(zero).hasValue(1);
    assertThat(count.tryRemove(1)).isFalse();
    assertThat(count.tryAddToHeld()).isFalse();
    assertThat(count.close(zero::incrementAndGet)).as("closed and zero").isTrue();
    assertThat(zero).hasValue(2);
  }

  @Test
  void whoHoldsAddsAgainWhereverItIsCounted() throws Exception {
    assertThat(count.tryAddToHeld()).as("held by nobody").isFalse();
    assertThat(onAnotherThread(() -> count.tryAdd(1))).isTrue();
    assertThat(count.tryAddToHeld()).as("held in another place").isTrue();
    count.spread();
    assertThat(count.tryAdd(1)).isTrue();
    assertThat(count.tryAddToHeld()).as("held in this place").isTrue();
    assertThat(count.sum()).isEqualTo(4);
  }

  /** Who gathers brings all to the word, which then stays in use until threads meet again. */
  @Test
  void placesAreUsedFromOneMeetingOfThreadsToTheNextGathering() throws Exception {
    assertThat(count.tryAdd(1)).isTrue();
    assertThat(inWord()).as("in a place").isZero();
    assertThat(count.sum()).isEqualTo(1);
    assertThat(inWord()).as("gathered").isEqualTo(1);
    assertThat(count.tryAdd(1)).isTrue();
    assertThat(inWord()).as("the place is shut").isEqualTo(2);
    count.spread();
    assertThat(count.tryAdd(1)).isTrue();
    assertThat(inWord()).as("the place is open again").isEqualTo(2);
    assertThat(count.tryRemove(1)).isTrue();
    assertThat(inWord()).as("what the place holds goes first").isEqualTo(2);
    assertThat(count.sum()).isEqualTo(2);
  }

  private long inWord() throws ReflectiveOperationException {
    Field word = HoldCount.class.getDeclaredField("word");
    word.setAccessible(true);
    return word.getLong(count);
  }

  /** Every thread adds, and removes what it or another has added; one holds on to the end, so that no look may find nothing held. */
  @RepeatedTest(5)
  void threadsThatTradeWhatTheyHoldAgreeOnTheSum() throws Exception {
    assertThat(count.tryAdd(1)).isTrue();
    AtomicLong tradable = new AtomicLong();
    AtomicLong wrong = new AtomicLong();
    together(
        thread -> {
          Random random = new Random(thread);
          long own = 0;
          for (int i = 0; i < 20_000; i++) {
            int times = 1 + random.nextInt(3);
            switch (random.nextInt(200)) {
              case 0 -> wrong.addAndGet(count.sum() > 0 ? 0 : 1);
              case 1 -> wrong.addAndGet(count.tryClose() ? 1 : 0);
              case 2 -> count.spread();
              default -> {
                if (random.nextBoolean()) {
                  wrong.addAndGet(count.tryAdd(times) ? 0 : 1);
                  own += times;
                } else if (own >= times) {
                  tradable.addAndGet(times);
                  own -= times;
                } else if (take(tradable, times)) {
                  wrong.addAndGet(count.tryRemove(times) ? 0 : 1);
                }
              }
            }
          }
          tradable.addAndGet(own);
        });
    assertThat(wrong).hasValue(0);
    assertThat(count.sum()).isEqualTo(tradable.get() + 1);
    assertThat(count.tryRemove(tradable.get() + 2)).isFalse();
    assertThat(count.tryRemove(tradable.get() + 1)).isTrue();
    assertThat(count.tryClose()).isTrue();
  }

  private static boolean take(AtomicLong from, long times) {
    long before = from.getAndUpdate(now -> now >= times ? now - times : now);
    return before >= times;
  }

  @RepeatedTest(200)
  void theTaskRunsOnceWhenTheLastLetsGo() throws Exception {
    CountDownLatch ran = new CountDownLatch(1);
    AtomicLong held = new AtomicLong();
    AtomicLong heldWhenRun = new AtomicLong(-1);
    together(
        thread -> {
          for (int i = 0; i < 50; i++) {
            if (thread == 0 && i == 25) {
              assertThat(
                      count.close(
                          () -> {
                            heldWhenRun.set(held.get());
                            zero.incrementAndGet();
                            ran.countDown();
                          }))
                  .isTrue();
            } else if (count.tryAdd(1)) {
              held.incrementAndGet();
              // Taken back first: whoever runs the task must find nothing held.
              held.decrementAndGet();
              assertThat(count.tryRemove(1)).isTrue();
            }
          }
        });
    ran.await();
    assertThat(zero).hasValue(1);
    assertThat(heldWhenRun).hasValue(0);
    assertThat(count.tryAdd(1)).isFalse();
  }

  /** One who closes finds the count zero just when another, who made it so, has not run the task of the first close yet. */
  @Test
  void theTasksOfTwoClosesBothRunOnce() throws Exception {
    for (int round = 0; round < 20_000; round++) {
      HoldCount closed = new HoldCount();
      AtomicInteger first = new AtomicInteger();
      AtomicInteger second = new AtomicInteger();
      assertThat(closed.tryAdd(1)).isTrue();
      assertThat(closed.close(first::incrementAndGet)).isTrue();
      Future<Boolean> removed = other.submit(() -> closed.tryRemove(1));
      while (!closed.close(second::incrementAndGet)) {
        Thread.onSpinWait();
      }
      assertThat(removed.get()).isTrue();
      assertThat(first).hasValue(1);
      assertThat(second).hasValue(1);
    }
  }

  /** Who found no places in use must not take the word for the sum: others may have spread since, and let go of what the word held. */
  @Test
  void whatOthersLetGoOfWhileTheySpreadIsNotMissed() throws Exception {
    for (int round = 0; round < 20_000; round++) {
      HoldCount together = new HoldCount();
      assertThat(together.tryAdd(2)).isTrue();
      Future<Boolean> removed = other.submit(() -> together.tryRemove(1));
      together.spread();
      assertThat(together.tryAdd(1)).isTrue();
      assertThat(together.tryRemove(2)).isTrue();
      assertThat(removed.get()).isTrue();
      assertThat(together.sum()).isZero();
    }
  }

  private interface Part {
    void run(int thread) throws Exception;
  }

  private void together(Part part) throws Exception {
    CyclicBarrier start = new CyclicBarrier(THREADS);
    List<Future<?>> running = new ArrayList<>();
    for (int t = 0; t < THREADS; t++) {
      int thread = t;
      running.add(
          other.submit(
              () -> {
                start.await();
                part.run(thread);
                return null;
              }));
    }
    for (Future<?> each : running) {
      each.get();
    }
  }
}
