package io.twostep.device.nvme.model;

/** A submission queue as the controller sees it. */
final class SubmissionQueue {
  final int id;
  final long base;
  final int entries;
  final CompletionQueue completions;

  /** Next entry to fetch. */
  int head;

  /** One past the last entry that the host announced. */
  int tail;

  /** The tail that the host was last told to ring the real doorbell past, with shadow doorbells; -1 for none yet. */
  int awaited = -1;

  SubmissionQueue(int id, long base, int entries, CompletionQueue completions) {
    this.id = id;
    this.base = base;
    this.entries = entries;
    this.completions = completions;
  }

  /** Return how many entries wait. */
  int pending() {
    return tail >= head ? tail - head : tail - head + entries;
  }
}
