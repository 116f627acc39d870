package io.twostep.device.rdma.mirror;

import io.twostep.dma.spi.Timers;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The one loop that looks at pages and acts on what it saw while that still holds: begin, fault, lock, check, and again from the start if something changed.
 *
 * <p>Bounded by a deadline on the machine's clock. Thread-safe.
 */
public final class RangeFault {
  /** How long pages may keep changing before a fault fails, nanoseconds. */
  public static final long DEFAULT_LIMIT_NANOS = 1_000_000_000;

  private static final int FREE_RETRIES = 64;

  private final ProcessMemory memory;
  private final Timers timers;
  private final long limitNanos;
  private final AtomicLong retries = new AtomicLong();

  /** What an earlier fault saw pages in, for the next: it has room for the most runs so far. */
  private final AtomicReference<@Nullable PageRuns> spare = new AtomicReference<>();

  /** Acts on pages under the lock, while what was seen of them holds. */
  @FunctionalInterface
  public interface Commit {
    /** Act; {@code runs} is another's when this returns. */
    void commit(PageRuns runs);
  }

  /** Create a loop with a limit in nanoseconds. */
  public RangeFault(ProcessMemory memory, Timers timers, long limitNanos) {
    this.memory = memory;
    this.timers = timers;
    this.limitNanos = limitNanos;
  }

  /**
   * Look at pages, and act on them under {@code lock}.
   *
   * @param subscription covers the range; its listener takes {@code lock}, which the caller does not hold
   * @throws PageFaultException if a page cannot be had, or DEADLINE; nothing was done then
   */
  public void run(Subscription subscription, long va, long length, FaultMode mode, Lock lock, Commit commit) {
    PageRuns left = spare.getAndSet(null);
    PageRuns runs = left != null ? left : new PageRuns();
    try {
      lookAndCommit(subscription, va, length, mode, runs, lock, commit);
    } finally {
      spare.set(runs);
    }
  }

  private void lookAndCommit(Subscription subscription, long va, long length, FaultMode mode, PageRuns runs, Lock lock, Commit commit) {
    long deadline = timers.nanoTime() + limitNanos;
    for (int attempt = 1; ; attempt++) {
      long sequence = subscription.readBegin(timers, deadline);
      memory.faultRange(va, length, mode, runs);
      lock.lock();
      try {
        if (!subscription.readRetry(sequence)) {
          commit.commit(runs);
          return;
        }
      } finally {
        lock.unlock();
      }
      retries.incrementAndGet();
      backOff(attempt, va, length, deadline);
    }
  }

  private void backOff(int attempt, long va, long length, long deadline) {
    if (attempt <= FREE_RETRIES) {
      LockSupport.parkNanos(attempt);
      return;
    }
    if (timers.nanoTime() - deadline > 0) {
      throw new PageFaultException(
          PageFaultException.Kind.DEADLINE,
          "%s: %#x+%#x changed %d times while it was faulted in; try again when the process is calmer".formatted(memory.name(), va, length, attempt));
    }
    timers.pause(attempt);
  }

  /** Return how often the loop had to start again. */
  public long retries() {
    return retries.get();
  }
}
