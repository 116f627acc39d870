package io.twostep.examples.nvme;

/**
 * What a request takes once everything is warm.
 *
 * @param nanosPerIo mean of the quickest of several batches, so that what else the computer does counts least
 * @param heapBytesPerIo mean over all batches
 */
record WarmTimes(double nanosPerIo, double heapBytesPerIo) {
  static final WarmTimes NONE = new WarmTimes(0, 0);

  private static final int BATCHES = 8;
  private static final int BATCH = 250;
  private static final int WARM_UP = 4_000;
  private static final long MOST_WARM_UP_NANOS = 400_000_000;
  private static final long MOST_BATCHES_NANOS = 800_000_000;

  /** Read over and over; what is read does not matter here. */
  static WarmTimes measure(FileTransfer transfer) {
    long start = System.nanoTime();
    for (int done = 0; done < WARM_UP && System.nanoTime() - start < MOST_WARM_UP_NANOS; done += BATCH) {
      transfer.reread(BATCH);
    }
    long best = Long.MAX_VALUE;
    long batches = 0;
    long heap = HeapBytes.ofThread();
    start = System.nanoTime();
    do {
      long from = System.nanoTime();
      transfer.reread(BATCH);
      best = Math.min(best, System.nanoTime() - from);
      batches++;
    } while (batches < BATCHES && System.nanoTime() - start < MOST_BATCHES_NANOS);
    return new WarmTimes((double) best / BATCH, (double) (HeapBytes.ofThread() - heap) / (batches * BATCH));
  }
}
