package io.twostep.tck;

import io.twostep.dma.spi.Timers;
import java.util.Objects;

/**
 * Passes every call on to a machine's clock: the base of clocks that a test sets, watches or makes fail.
 *
 * <p>As thread-safe as what it stands before.
 */
public class ForwardingTimers implements Timers {
  /** What it stands before. */
  protected final Timers real;

  /** Stand before {@code real}. */
  public ForwardingTimers(Timers real) {
    this.real = Objects.requireNonNull(real, "real");
  }

  @Override
  public long nanoTime() {
    return real.nanoTime();
  }

  @Override
  public Timer schedule(long delayNanos, Runnable task) {
    return real.schedule(delayNanos, task);
  }

  @Override
  public void pause(int times) {
    real.pause(times);
  }
}
