package io.twostep.machine.linux.fake;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.Interrupts;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A thread that waits for a vector, which the device signals, or somebody takes away. */
public final class ThreadThatWaits {
  private static final long LONG = 3_600_000_000_000L;

  private ThreadThatWaits() {}

  /** Check who is called and who returns; {@code signal} has the device signal vector 0. */
  public static void check(Interrupts interrupts, Runnable signal) throws InterruptedException {
    List<Thread> callers = new CopyOnWriteArrayList<>();
    assertThat(interrupts.await(0, LONG)).as("without a handler").isFalse();
    interrupts.enable(0, () -> callers.add(Thread.currentThread()));
    for (int i = 1; i <= 3; i++) {
      signal.run();
      assertThat(interrupts.await(0, LONG)).isTrue();
      assertThat(callers.stream().filter(caller -> caller == Thread.currentThread())).hasSizeGreaterThanOrEqualTo(i);
    }
    interrupts.wake(0);
    assertThat(interrupts.await(0, LONG)).as("woken before it waited").isTrue();
    Thread disabling = new Thread(() -> interrupts.disable(0));
    disabling.start();
    while (interrupts.await(0, LONG)) {
      Thread.onSpinWait();
    }
    disabling.join();
    interrupts.wake(0);
    assertThat(interrupts.await(0, LONG)).isFalse();
  }
}
