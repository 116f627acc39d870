package io.twostep.backend.iommu.iova;

/** Run a task once, later. */
@FunctionalInterface
public interface FlushTimer {
  /** Run the task once after the delay, on any thread; must not run it before this returns. */
  void schedule(long delayNanos, Runnable task);
}
