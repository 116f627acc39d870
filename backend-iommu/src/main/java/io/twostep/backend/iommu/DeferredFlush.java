package io.twostep.backend.iommu;

import io.twostep.backend.iommu.iova.FlushTimer;
import io.twostep.dma.spi.Timers;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs an address space's flush on the machine's clock, or at once if the clock takes no tasks: what waits is the queue's by then, and nobody else would flush it.
 *
 * <p>A flush that fails there has no caller to tell: it is logged, and what waits for it goes on waiting.
 */
final class DeferredFlush implements FlushTimer {
  private static final Logger LOG = LoggerFactory.getLogger(DeferredFlush.class);

  private final String space;
  private final Timers timers;
  private @Nullable Runnable known;
  private @Nullable Runnable guarded;

  DeferredFlush(String space, Timers timers) {
    this.space = space;
    this.timers = timers;
  }

  @Override
  public void schedule(long delayNanos, Runnable task) {
    Runnable guard = guard(task);
    try {
      timers.schedule(delayNanos, guard);
    } catch (RuntimeException e) {
      LOG.warn("{}: the clock takes no tasks; invalidating at once", space, e);
      guard.run();
    }
  }

  /** Returns the task with its failures logged; the same object for the same task. */
  private synchronized Runnable guard(Runnable task) {
    Runnable wrapped = guarded;
    if (wrapped == null || known != task) {
      wrapped = () -> run(task);
      known = task;
      guarded = wrapped;
    }
    return wrapped;
  }

  private void run(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException e) {
      LOG.warn("{}: deferred invalidation failed; the I/O addresses that wait for it stay out of circulation", space, e);
    }
  }
}
