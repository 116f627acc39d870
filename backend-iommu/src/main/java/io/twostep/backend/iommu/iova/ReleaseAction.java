package io.twostep.backend.iommu.iova;

/** Take back what no stale translation can reach any more. */
@FunctionalInterface
public interface ReleaseAction {
  /**
   * Free a range and the table pages it left behind; must not call the queue.
   *
   * @param iova the range as it was queued
   * @param granules its size as it was queued
   * @param tableChain the table pages as they were queued
   */
  void release(long iova, long granules, long tableChain);
}
