package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.EqeLayout;
import io.twostep.dma.DmaBuffer;
import java.lang.foreign.MemorySegment;

/**
 * The adapter's queue of page faults, and the room in it: each queue pair may have one of its own and one of its peer unanswered. Thread-safe, but for {@link #next} and {@link #answered}: one thread at
 * a time.
 *
 * <p>The room of a queue pair that is gone is not another's while its events wait: they lie in the queue before the adapter says that it is gone.
 */
final class FaultEvents {
  /** No event waits. */
  static final long NONE = -1;

  private final String name;
  private final DmaBuffer buffer;
  private final int logEntries;
  private long answered;

  /** Queue pairs that have room, and how many of them are gone. */
  private int promised;

  private int gone;

  FaultEvents(String name, DmaBuffer buffer, int logEntries) {
    this.name = name;
    this.buffer = buffer;
    this.logEntries = logEntries;
    for (long at = 0; at < (long) EqeLayout.SIZE << logEntries; at += EqeLayout.SIZE) {
      EqeLayout.OWNER.set(segment(), at, EqeLayout.NOBODY);
    }
  }

  MemorySegment segment() {
    return buffer.segment();
  }

  /** Give a queue pair room for its faults. */
  synchronized void promise() {
    int most = 1 << (logEntries - 1);
    if (promised == most) {
      settle();
    }
    if (promised == most) {
      throw new HcaException(
          "%s: %d queue pairs may fault at once, and that fills the event queue; serve the faults of those that are closed, or open the adapter with more event-entries"
              .formatted(name, most));
    }
    promised++;
  }

  /** Take back the room of a queue pair, once nothing of it waits; the adapter posts no more. */
  synchronized void forget() {
    gone++;
    settle();
  }

  private void settle() {
    if (next() == NONE) {
      promised -= gone;
      gone = 0;
    }
  }

  /** Return where the oldest event lies that was not answered, or {@link #NONE}. */
  synchronized long next() {
    long at = (answered & ((1L << logEntries) - 1)) * EqeLayout.SIZE;
    return EqeLayout.OWNER.getAcquire(segment(), at) == ((answered >>> logEntries) & 1) ? at : NONE;
  }

  /** Take note that the oldest event was answered, or that the adapter did not take the answer. */
  synchronized void answered() {
    answered++;
  }
}
