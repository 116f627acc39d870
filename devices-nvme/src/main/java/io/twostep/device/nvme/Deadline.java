package io.twostep.device.nvme;

import io.twostep.dma.spi.Timers;
import org.jspecify.annotations.Nullable;

/** Waits for a device, on the machine's clock: the machine goes on at every pause, and virtual time cannot stop before the deadline. */
final class Deadline implements AutoCloseable {
  /** Pauses after which a timer is set: a virtual clock with nothing to do moves only to timers. */
  private static final int PATIENCE = 32;

  private final Timers timers;
  private final long at;
  private int pauses;
  private Timers.@Nullable Timer timer;

  Deadline(Timers timers, long nanos) {
    this(timers, nanos, 0);
  }

  /** Begin a deadline for a caller who has paused some times in vain already. */
  Deadline(Timers timers, long nanos, int pauses) {
    this.timers = timers;
    this.pauses = pauses;
    at = timers.nanoTime() + nanos;
  }

  boolean isOver() {
    return timers.nanoTime() - at >= 0;
  }

  void pause() {
    pauses++;
    if (timer == null && pauses >= PATIENCE) {
      timer = timers.schedule(Math.max(0, at - timers.nanoTime()), () -> {});
    }
    timers.pause(pauses);
  }

  @Override
  public void close() {
    if (timer != null) {
      timer.cancel();
    }
  }
}
