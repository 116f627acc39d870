package io.twostep.machine.linux.fake;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.Interrupts;
import java.util.concurrent.CountDownLatch;

/** A handler that takes a vector away while another thread waits for this very handler to be gone. */
public final class HandlerThatDisables {
  private static final long PATIENCE_MILLIS = 20_000;

  private HandlerThatDisables() {}

  /** Check that neither waits for the other; {@code signal} has the device signal vector 0. */
  public static void check(Interrupts interrupts, Runnable signal) throws InterruptedException {
    CountDownLatch running = new CountDownLatch(1);
    CountDownLatch finished = new CountDownLatch(1);
    Thread disabling =
        new Thread(
            () -> {
              await(running);
              interrupts.disable(0);
            });
    interrupts.enable(1, () -> {});
    interrupts.enable(
        0,
        () -> {
          running.countDown();
          while (disabling.getState() != Thread.State.BLOCKED) {
            Thread.onSpinWait();
          }
          interrupts.disable(1);
          finished.countDown();
        });
    disabling.setDaemon(true);
    disabling.start();
    signal.run();
    disabling.join(PATIENCE_MILLIS);
    assertThat(disabling.isAlive()).as("waits for a handler that waits for it").isFalse();
    assertThat(finished.getCount()).as("the handler was waited for").isZero();
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
