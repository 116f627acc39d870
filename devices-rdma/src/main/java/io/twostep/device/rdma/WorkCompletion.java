package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CompletionStatus;

/** Takes what a completion queue says. */
@FunctionalInterface
public interface WorkCompletion {
  /**
   * Take the end of one work request.
   *
   * @param queuePair the queue pair
   * @param id what the request was posted with
   * @param receive whether it was a receive
   * @param status how it ended; all but the first of these may have moved part of the data
   * @param extra of a receive: immediate data, or the key that was invalidated; else 0
   * @param length bytes moved
   */
  void accept(QueuePair queuePair, long id, boolean receive, CompletionStatus status, int extra, long length);
}
