package io.twostep.tck;

import io.twostep.dma.spi.Timers;

/** A machine's timers with a clock that stands still: nothing is ever due, so that what is measured has no part that comes now and then. */
record StoppedClock(Timers real) implements Timers {
  @Override
  public long nanoTime() {
    return 0;
  }

  @Override
  public Timer schedule(long delayNanos, Runnable task) {
    return () -> true;
  }

  @Override
  public void pause(int times) {
    real.pause(times);
  }
}
