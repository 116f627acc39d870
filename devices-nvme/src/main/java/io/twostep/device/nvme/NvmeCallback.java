package io.twostep.device.nvme;

/** Learns that a request is over. */
@FunctionalInterface
public interface NvmeCallback {
  /**
   * Take notice of a request that is done, well or not: see {@link NvmeBio#failure}.
   *
   * <p>Its memory is the caller's again and the bio may be submitted again, from here too. Runs on the thread that polls the queue, with interrupts
   * the machine's; it must not block and must not wait for another request.
   */
  void done(NvmeBio bio);
}
