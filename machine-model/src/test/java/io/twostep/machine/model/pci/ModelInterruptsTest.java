package io.twostep.machine.model.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.Timers;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class ModelInterruptsTest {
  private final InterruptQueue queue = new InterruptQueue();
  private final Steps timers = new Steps();
  private final ModelInterrupts interrupts = new ModelInterrupts("0000:01:00.0", 3, queue, this::open, timers);
  private final List<String> calls = new ArrayList<>();

  @Test
  void aVectorSignalledBeforeItHasAHandlerIsDeliveredOnceItHas() {
    interrupts.signal(1);
    queue.deliver();
    interrupts.enable(1, () -> calls.add("one"));
    assertThat(queue.waiting()).isTrue();
    queue.deliver();
    queue.deliver();
    assertThat(calls).containsExactly("one");
    assertThat(queue.waiting()).isFalse();
  }

  @Test
  void signalsOfOneVectorJoinUntilDelivered() {
    interrupts.enable(0, () -> calls.add("zero"));
    interrupts.enable(2, () -> calls.add("two"));
    interrupts.signal(2);
    interrupts.signal(0);
    interrupts.signal(2);
    queue.deliver();
    assertThat(calls).containsExactly("two", "zero");
  }

  @Test
  void aSignalDuringTheHandlerMakesAnotherCallAndNeverANestedOne() {
    interrupts.enable(
        0,
        () -> {
          calls.add("in");
          if (calls.size() < 4) {
            interrupts.signal(0);
            queue.deliver();
          }
          calls.add("out");
        });
    interrupts.signal(0);
    for (int i = 0; i < 4; i++) {
      queue.deliver();
    }
    assertThat(calls).containsExactly("in", "out", "in", "out", "in", "out");
  }

  @Test
  void aDisabledVectorIsNotCalled() {
    interrupts.enable(0, () -> calls.add("zero"));
    interrupts.signal(0);
    interrupts.disable(0);
    queue.deliver();
    assertThat(calls).isEmpty();
    interrupts.enable(0, () -> calls.add("later"));
    queue.deliver();
    assertThat(calls).as("still pending").containsExactly("later");
  }

  @Test
  void aHandlerMayDisableItself() {
    interrupts.enable(
        0,
        () -> {
          calls.add("last");
          interrupts.disable(0);
          interrupts.signal(0);
        });
    interrupts.signal(0);
    queue.deliver();
    queue.deliver();
    assertThat(calls).containsExactly("last");
  }

  @Test
  void disableWaitsForAHandlerThatRunsElsewhere() throws InterruptedException {
    CountDownLatch entered = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    AtomicBoolean finished = new AtomicBoolean();
    interrupts.enable(
        0,
        () -> {
          entered.countDown();
          try {
            go.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          finished.set(true);
        });
    interrupts.signal(0);
    Thread machine = Thread.ofPlatform().start(queue::deliver);
    entered.await();
    AtomicBoolean disabled = new AtomicBoolean();
    Thread opener = Thread.ofPlatform().start(letGoOnceItWaits(Thread.currentThread(), disabled, go));
    interrupts.disable(0);
    disabled.set(true);
    assertThat(finished).isTrue();
    machine.join();
    opener.join();
  }

  /** Opens a latch when a thread waits, or has not waited. */
  private static Runnable letGoOnceItWaits(Thread waiting, AtomicBoolean hasNot, CountDownLatch latch) {
    return () -> {
      while (waiting.getState() == Thread.State.RUNNABLE && !hasNot.get()) {
        Thread.onSpinWait();
      }
      latch.countDown();
    };
  }

  @Test
  void aHandlerThatFailsLeavesTheVectorUsable() {
    interrupts.enable(
        0,
        () -> {
          calls.add("call");
          throw new IllegalStateException("broken handler");
        });
    interrupts.signal(0);
    assertThatThrownBy(queue::deliver).hasMessage("broken handler");
    interrupts.signal(0);
    assertThatThrownBy(queue::deliver).hasMessage("broken handler");
    assertThat(calls).hasSize(2);
  }

  @Test
  void maskedVectorsAndClosedFunctionsKeepTheirSignalsPending() {
    interrupts.enable(0, () -> calls.add("zero"));
    interrupts.enable(1, () -> calls.add("one"));
    interrupts.mask(0, true);
    interrupts.signal(0);
    interrupts.signal(1);
    interrupts.open(false);
    queue.deliver();
    assertThat(calls).isEmpty();
    assertThat(interrupts.pending(0)).isTrue();
    interrupts.open(true);
    queue.deliver();
    assertThat(calls).containsExactly("one");
    interrupts.mask(0, false);
    queue.deliver();
    assertThat(calls).containsExactly("one", "zero");
    assertThat(interrupts.pending(0)).isFalse();
  }

  private void open() {
    interrupts.open(true);
  }

  @Test
  void refusesVectorsThatDoNotExist() {
    assertThat(interrupts.count()).isEqualTo(3);
    assertThatThrownBy(() -> interrupts.enable(3, () -> {}))
        .isInstanceOf(IndexOutOfBoundsException.class)
        .hasMessage("0000:01:00.0: vector 3; the model has 3");
    assertThatThrownBy(() -> interrupts.signal(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> new ModelInterrupts("0000:01:00.0", 2049, queue, this::open, timers))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("0000:01:00.0: vectors() is 2049; a function has 0 to 2048");
  }

  @Test
  void whoWaitsLetsTheMachineGoOnAndReturnsBehindTheHandler() {
    interrupts.enable(0, () -> calls.add("handler"));
    timers.then(() -> calls.add("nothing yet"));
    timers.then(() -> interrupts.signal(0));
    assertThat(interrupts.await(0, 1_000)).isTrue();
    assertThat(calls).containsExactly("nothing yet", "handler");
    assertThat(timers.now).isLessThan(1_000);
  }

  @Test
  void whoWaitsForNothingReturnsWhenTimeIsUpAndLeavesNoTimer() {
    interrupts.enable(0, () -> calls.add("handler"));
    assertThat(interrupts.await(0, 1_000)).isTrue();
    assertThat(timers.now).isEqualTo(1_000);
    assertThat(timers.scheduled).isZero();
    interrupts.signal(1);
    assertThat(interrupts.await(0, 5)).isTrue();
    assertThat(timers.now).isEqualTo(1_005);
    assertThat(calls).isEmpty();
  }

  @Test
  void whoWaitsIsWokenAlsoIfHeWasOnlyAboutTo() {
    interrupts.enable(0, () -> {});
    timers.then(() -> interrupts.wake(0));
    interrupts.await(0, 1_000);
    assertThat(timers.now).isEqualTo(1);
    interrupts.wake(0);
    interrupts.await(0, 1_000);
    assertThat(timers.now).isEqualTo(1);
    interrupts.await(0, 1_000);
    assertThat(timers.now).as("woken once").isEqualTo(1_001);
  }

  @Test
  void whatWasDeliveredBeforeHeWaitedIsNotWaitedForAgain() {
    interrupts.enable(0, () -> calls.add("handler"));
    interrupts.signal(0);
    queue.deliver();
    assertThat(interrupts.await(0, 1_000)).isTrue();
    assertThat(timers.now).as("he may have looked before it came").isZero();
    timers.then(() -> interrupts.signal(0));
    assertThat(interrupts.await(0, 1_000)).isTrue();
    assertThat(timers.now).isEqualTo(1);
    assertThat(interrupts.await(0, 1_000)).isTrue();
    assertThat(timers.now).as("he was there when it came").isEqualTo(1_001);
  }

  @Test
  void whoHasNoTimeLetsTheMachineGoOnOnce() {
    interrupts.enable(0, () -> calls.add("handler"));
    timers.then(() -> interrupts.signal(0));
    assertThat(interrupts.await(0, 0)).isTrue();
    assertThat(calls).containsExactly("handler");
    assertThat(interrupts.await(0, Long.MIN_VALUE)).isTrue();
    assertThat(timers.now).isEqualTo(2);
    assertThat(timers.scheduled).isZero();
  }

  @Test
  void whoWaitsForEverIsCalledAndWokenLikeOthers() {
    timers.now = Long.MAX_VALUE - 10;
    interrupts.enable(0, () -> calls.add("handler"));
    for (int i = 0; i < 100; i++) {
      timers.then(() -> {});
    }
    timers.then(() -> interrupts.signal(0));
    assertThat(interrupts.await(0, Long.MAX_VALUE)).isTrue();
    assertThat(calls).containsExactly("handler");
    assertThat(timers.scheduled).isZero();
  }

  @Test
  void machineThatFailsUnderWhoWaitsLeavesThePlaceFree() {
    interrupts.enable(0, () -> calls.add("handler"));
    for (int i = 0; i < 40; i++) {
      timers.then(() -> {});
    }
    timers.then(
        () -> {
          throw new IllegalStateException("a model failed");
        });
    assertThatThrownBy(() -> interrupts.await(0, 1_000)).hasMessage("a model failed");
    assertThat(timers.scheduled).isZero();
    timers.then(() -> interrupts.signal(0));
    assertThat(interrupts.await(0, 1_000)).isTrue();
    assertThat(calls).containsExactly("handler");
  }

  @Test
  void aVectorWithoutHandlerOrWithSomebodyWaitingOrInItsOwnHandlerIsNotWaitedFor() {
    assertThat(interrupts.await(0, 1_000)).isFalse();
    List<Boolean> second = new ArrayList<>();
    interrupts.enable(0, () -> second.add(interrupts.await(0, 1_000)));
    timers.then(() -> second.add(interrupts.await(0, 1_000)));
    timers.then(() -> interrupts.signal(0));
    assertThat(interrupts.await(0, 1_000)).isTrue();
    assertThat(second).containsExactly(false, false);
    timers.then(() -> interrupts.disable(0));
    assertThat(interrupts.await(0, 1_000)).as("disabled meanwhile").isTrue();
    assertThat(timers.now).isLessThan(1_000);
    assertThat(interrupts.await(0, 1_000)).isFalse();
  }

  /** A machine that does what it was told, one thing a pause, and whose clock moves by one each time. */
  private final class Steps implements Timers {
    final Deque<Runnable> next = new ArrayDeque<>();
    long now;
    int scheduled;

    void then(Runnable step) {
      next.add(step);
    }

    @Override
    public long nanoTime() {
      return now;
    }

    @Override
    public Timer schedule(long delayNanos, Runnable task) {
      scheduled++;
      return () -> {
        scheduled--;
        return true;
      };
    }

    @Override
    public void pause(int times) {
      now++;
      Runnable step = next.poll();
      if (step != null) {
        step.run();
      }
      queue.deliver();
    }
  }
}
