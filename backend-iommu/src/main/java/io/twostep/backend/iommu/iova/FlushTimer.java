package io.twostep.backend.iommu.iova;

/** Run a task once, later. */
@FunctionalInterface
public interface FlushTimer {
  /**
   * Run the task once after the delay, on any thread; at once, before this returns, where nothing can delay it.
   *
   * <p>What this throws passes through {@link FlushQueue#add}, though the range is queued by then: its caller would take the range for its own.
   */
  void schedule(long delayNanos, Runnable task);
}
