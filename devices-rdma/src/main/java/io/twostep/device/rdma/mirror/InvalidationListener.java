package io.twostep.device.rdma.mirror;

/**
 * Hears of pages that are about to change. Called from whichever thread changes them, from several at once.
 */
public interface InvalidationListener {
  /**
   * Stop using the pages; they change when this has returned.
   *
   * <p>It may mark pages dirty, and quarantine them, but must neither touch nor fault memory of the process, nor close its subscription.
   *
   * @param start first byte of the range, clipped to the subscription
   * @param length bytes, whole pages
   * @throws RuntimeException if a device could not be proved away: the frames of this range are then kept out of circulation for good, those that the change sets free and those that it leaves
   *     in place
   */
  void start(long start, long length, InvalidationReason reason);

  /** Hear that the range has changed and may be used again; may do what it likes, such as close the subscription. */
  default void end(long start, long length, InvalidationReason reason) {}
}
