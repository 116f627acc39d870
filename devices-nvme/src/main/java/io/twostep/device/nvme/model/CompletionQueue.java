package io.twostep.device.nvme.model;

/** A completion queue as the controller sees it. */
final class CompletionQueue {
  final int id;
  final long base;
  final int entries;
  final int vector;
  final boolean interrupts;

  /** One past the last entry that the host consumed. */
  int head;

  /** Next entry to write. */
  int tail;

  /** Phase of the round that {@link #tail} is in. */
  int phase = 1;

  /** Submission queues that use this one. */
  int users;

  /** Entries that commands put aside will need. */
  int owed;

  /** Entries posted since the last interrupt. */
  int unsignalled;

  /** When the oldest of them was posted. */
  long unsignalledSince;

  CompletionQueue(int id, long base, int entries, int vector, boolean interrupts) {
    this.id = id;
    this.base = base;
    this.entries = entries;
    this.vector = vector;
    this.interrupts = interrupts;
  }

  /** Return how many entries the host has not consumed. */
  int used() {
    return tail >= head ? tail - head : tail - head + entries;
  }

  /** Return how many entries may still be posted: a full queue keeps one entry empty. */
  int free() {
    return entries - 1 - used();
  }

  /** Move on after an entry was written. */
  void advance() {
    if (++tail == entries) {
      tail = 0;
      phase ^= 1;
    }
  }
}
