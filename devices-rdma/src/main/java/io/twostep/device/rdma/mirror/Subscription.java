package io.twostep.device.rdma.mirror;

import io.twostep.dma.spi.Timers;
import java.util.concurrent.locks.LockSupport;

/**
 * Hear of changes to a range of a process, and find out whether what was seen of it still holds.
 *
 * <pre>{@code
 * long sequence = subscription.readBegin(timers, deadline);    // waits while the range changes
 * memory.faultRange(...);                                      // look, without any lock of one's own
 * lock.lock();                                                 // the lock that the listener takes
 * if (subscription.readRetry(sequence)) { unlock and start again }
 * }</pre>
 *
 * <p>{@link RangeFault} is that loop; use it rather than one of your own. Thread-safe.
 */
public final class Subscription implements AutoCloseable {
  private static final long NAP_NANOS = 50_000;
  private static final int NAPS_PER_PAUSE = 2_000;

  final long start;
  final long end;
  final InvalidationListener listener;
  private final Notifier notifier;

  /** Ranges that change now; written under the notifier's lock. */
  volatile int active;

  /** Changes begun so far; written under the notifier's lock. */
  volatile long sequence;

  /** Calls of the listener's start under way; written under the notifier's lock. */
  volatile int running;

  Subscription(Notifier notifier, long start, long end, InvalidationListener listener) {
    this.notifier = notifier;
    this.start = start;
    this.end = end;
    this.listener = listener;
  }

  /**
   * Return the sequence number to look under, as soon as nothing in the range is changing.
   *
   * @param deadlineNanos on the clock of {@code timers}
   * @throws PageFaultException DEADLINE if something is still changing then
   */
  public long readBegin(Timers timers, long deadlineNanos) {
    // A change runs on another thread, which moves the machine itself if it waits for a device: pausing here too would only make virtual time run ahead of it.
    for (int naps = 1; ; naps++) {
      long seen = sequence;
      if (active == 0) {
        return seen;
      }
      if (timers.nanoTime() - deadlineNanos > 0) {
        throw new PageFaultException(
            PageFaultException.Kind.DEADLINE, "%#x+%#x is still being invalidated at the deadline".formatted(start, end - start));
      }
      LockSupport.parkNanos(NAP_NANOS);
      if (naps % NAPS_PER_PAUSE == 0) {
        timers.pause();
      }
    }
  }

  /** Tell whether something in the range has changed or is changing since {@link #readBegin} returned {@code seen}. */
  public boolean readRetry(long seen) {
    return active != 0 || sequence != seen;
  }

  /** Hear no more; returns when no call of the listener's start is under way. May be repeated. */
  @Override
  public void close() {
    notifier.unsubscribe(this);
    while (running != 0) {
      LockSupport.parkNanos(NAP_NANOS);
    }
  }
}
