package io.twostep.machine.linux.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.Timers;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

/** The machine's thread, on the real kernel. */
class EventLoopTest {
  private static final Kernel KERNEL = Kernel.host();

  @Test
  void handlerAndTaskThatFailWithAnErrorDoNotEndTheThreadForOthers() throws Exception {
    Descriptor event = KERNEL.eventfd("event");
    try (EventLoop loop = new EventLoop(KERNEL, "test")) {
      CountDownLatch called = new CountDownLatch(2);
      loop.watch(
          event,
          () -> {
            EventLoop.take(KERNEL, event);
            called.countDown();
            throw new InternalError("a BAR went away");
          });
      EventLoop.signal(KERNEL, event);
      loop.schedule(
          0,
          () -> {
            called.countDown();
            throw new AssertionError("a task's mistake");
          });
      assertThat(called.await(20, TimeUnit.SECONDS)).isTrue();
      CountDownLatch after = new CountDownLatch(1);
      loop.schedule(0, after::countDown);
      assertThat(after.await(20, TimeUnit.SECONDS)).isTrue();
    } finally {
      KERNEL.close(event);
    }
  }

  @Test
  void timerForTheEndOfTimeKeepsNoOtherWaiting() throws Exception {
    try (EventLoop loop = new EventLoop(KERNEL, "test")) {
      loop.schedule(Long.MAX_VALUE, () -> {});
      CountDownLatch due = new CountDownLatch(2);
      loop.schedule(-1_000_000_000_000L, due::countDown);
      loop.schedule(0, due::countDown);
      assertThat(due.await(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void timersForOneTaskAtOneNanosecondAreCancelledOneByOne() {
    try (EventLoop loop = new EventLoop(KERNEL, "test")) {
      long due = loop.nanoTime() + TimeUnit.DAYS.toNanos(1);
      Runnable task = () -> {};
      Timers.Timer first = loop.scheduleAt(due, task);
      Timers.Timer second = loop.scheduleAt(due, task);
      assertThat(first.cancel()).isTrue();
      assertThat(first.cancel()).as("cancelled before").isFalse();
      assertThat(second.cancel()).isTrue();
      assertThat(second.cancel()).as("cancelled before").isFalse();
    }
  }

  /** Ends if the test fails, too: a loop that never leaves its timers could not be closed. */
  private static final class Again implements Runnable {
    private final EventLoop loop;
    private final CountDownLatch until;
    private final long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);

    Again(EventLoop loop, CountDownLatch until) {
      this.loop = loop;
      this.until = until;
    }

    @Override
    public void run() {
      if (until.getCount() != 0 && System.nanoTime() - deadline < 0) {
        loop.schedule(0, this);
      }
    }
  }

  @Test
  void taskThatIsDueAgainAtOnceKeepsNoInterruptWaiting() throws Exception {
    Descriptor event = KERNEL.eventfd("event");
    try (EventLoop loop = new EventLoop(KERNEL, "test")) {
      CountDownLatch called = new CountDownLatch(1);
      CountDownLatch running = new CountDownLatch(1);
      loop.watch(
          event,
          () -> {
            EventLoop.take(KERNEL, event);
            called.countDown();
          });
      Again again = new Again(loop, called);
      loop.schedule(0, running::countDown);
      loop.schedule(0, again);
      running.await();
      EventLoop.signal(KERNEL, event);
      assertThat(called.await(10, TimeUnit.SECONDS)).as("the handler was called while the task was due again and again").isTrue();
    } finally {
      KERNEL.close(event);
    }
  }

  @Test
  void whoFindsSomethingNowAndThenIsNeverPutToSleepHoweverLongItGoesOn() throws Exception {
    try (EventLoop loop = new EventLoop(KERNEL, "test")) {
      assertThat(sleeps(loop, pause -> pause % 1000 + 1, 2_000_000)).isFalse();
      assertThat(sleeps(loop, pause -> pause, 1_000_000)).isTrue();
      assertThat(sleeps(loop, pause -> pause + Integer.MIN_VALUE, 1_000_000)).as("a count that has overflowed").isTrue();
    }
  }

  /** Tell whether a thread that pauses again and again is found asleep before it has paused {@code pauses} times. */
  private static boolean sleeps(EventLoop loop, IntUnaryOperator times, int pauses) throws InterruptedException {
    AtomicBoolean enough = new AtomicBoolean();
    Thread waiting =
        Thread.ofPlatform()
            .start(
                () -> {
                  for (int i = 0; i < pauses && !enough.get(); i++) {
                    loop.pause(times.applyAsInt(i));
                  }
                });
    boolean asleep = false;
    while (waiting.isAlive() && !asleep) {
      asleep = waiting.getState() == Thread.State.TIMED_WAITING;
    }
    enough.set(true);
    waiting.join();
    return asleep;
  }
}
