package io.twostep.backend.iommu.iova;

/**
 * Hold up to 256 ranges in the order they were queued. Every method needs the lock of the ring.
 *
 * <pre>
 *   word 0  iova
 *   word 1  granules
 *   word 2  table chain
 *   word 3  how many flushes had started when it was queued
 * </pre>
 */
final class FlushRing extends SpinLock {
  static final int CAPACITY = 256;

  private static final int WORDS = 4;
  private static final int PADDING = 16;

  private final long[] entries = new long[2 * PADDING + CAPACITY * WORDS];
  private long head;
  private long tail;

  boolean isFull() {
    return tail - head == CAPACITY;
  }

  int count() {
    return (int) (tail - head);
  }

  /** Returns how many ranges were released so far. */
  long released() {
    return head;
  }

  void add(long iova, long granules, long tableChain, long started) {
    int at = at(tail);
    entries[at] = iova;
    entries[at + 1] = granules;
    entries[at + 2] = tableChain;
    entries[at + 3] = started;
    tail++;
  }

  /** Release from the head all that a flush with a number up to {@code finished} covers. */
  void release(long finished, ReleaseAction action) {
    while (head != tail) {
      int at = at(head);
      if (entries[at + 3] >= finished) {
        return;
      }
      // Out before the call: what throws is lost, never released twice.
      head++;
      action.release(entries[at], entries[at + 1], entries[at + 2]);
    }
  }

  private static int at(long index) {
    return PADDING + (int) (index & (CAPACITY - 1)) * WORDS;
  }
}
