package io.twostep.device.nvme;

/** What one queue has done; each is as {@link NvmeStatistics} says. Written under the queue's guard, read by anyone for numbers of a moment. */
final class QueueCounters {
  long requests;
  long commands;
  long bytes;
  long entries;
  long listPieces;
  long splits;
  long retries;
  long timeouts;
  long dropped;
  long recovered;

  NvmeStatistics statistics(long doorbellWrites) {
    return new NvmeStatistics(
        requests, commands, bytes, entries, listPieces, splits, retries, timeouts, 0, 0, dropped, recovered, doorbellWrites);
  }
}
