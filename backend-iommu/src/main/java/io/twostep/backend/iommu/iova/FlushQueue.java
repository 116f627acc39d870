package io.twostep.backend.iommu.iova;

import java.lang.invoke.VarHandle;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Hold back ranges whose translations were cleared until one invalidation of everything covers many of them.
 *
 * <p>Every flush has a number, taken when it starts. A range remembers how many flushes had started when it was queued,
 * and is released once a flush with a higher number has finished: that one started later, so it saw the cleared
 * entries. A full ring flushes at once, outside any lock; otherwise a timer does after 10 ms.
 *
 * <p>Thread-safe, without heap memory per call. Until its release a range belongs to the queue: neither the addresses
 * nor the table pages may be used for anything else.
 */
public final class FlushQueue implements AutoCloseable {
  /** The longest time a range waits when nothing else flushes. */
  public static final long TIMEOUT_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  private final String name;
  private final FlushAction flush;
  private final ReleaseAction release;
  private final FlushTimer timer;
  private final Stripes<FlushRing> rings;
  private final AtomicLong started = new AtomicLong();
  private final AtomicLong finished = new AtomicLong();
  private final AtomicBoolean armed = new AtomicBoolean();
  private final Runnable timeout = this::onTimeout;
  private volatile boolean closed;

  /**
   * Create an empty queue.
   *
   * @param name names the address space in errors
   * @param stripes how many threads it should serve without waiting
   */
  public FlushQueue(String name, int stripes, FlushAction flush, ReleaseAction release, FlushTimer timer) {
    this.name = name;
    this.flush = flush;
    this.release = release;
    this.timer = timer;
    rings = Stripes.of(name, stripes, FlushRing[]::new, index -> new FlushRing());
  }

  /**
   * Queue a range whose translations are cleared in the tables already.
   *
   * <p>May flush and release other ranges in the calling thread. When the flush of a full ring fails, its exception
   * passes through and the range is not queued: it stays the caller's, still reachable by the device. What the timer throws passes through too, but then the
   * range is queued.
   *
   * @param tableChain the table pages to release with it, in whatever form the release action knows
   * @throws IllegalStateException when the queue is closed; the range is not queued
   */
  public void add(long iova, long granules, long tableChain) {
    // The clearing of the entries must be visible before the count of started flushes is read.
    VarHandle.fullFence();
    while (!tryAdd(iova, granules, tableChain)) {
      flush();
    }
    if (!armed.get() && armed.compareAndSet(false, true)) {
      arm();
    }
  }

  private boolean tryAdd(long iova, long granules, long tableChain) {
    FlushRing ring = rings.lock();
    try {
      if (closed) {
        throw new IllegalStateException(
            "%s: cannot queue %d granules at IOVA 0x%x: the flush queue is closed; invalidate and free at once"
                .formatted(name, granules, iova));
      }
      ring.release(finished.get(), release);
      if (ring.isFull()) {
        return false;
      }
      ring.add(iova, granules, tableChain, started.get());
      return true;
    } finally {
      ring.unlock();
    }
  }

  private void arm() {
    try {
      timer.schedule(TIMEOUT_NANOS, timeout);
    } catch (RuntimeException | Error e) {
      // The range is queued; the next one tries the timer again.
      armed.set(false);
      throw e;
    }
  }

  /** Flush for what is queued; whoever queues after the mark is taken down arms the timer anew. */
  private void onTimeout() {
    armed.set(false);
    drain();
  }

  /** Flush, and release every range that was queued before this call; does nothing when there is none. */
  public void drain() {
    if (pending() != 0) {
      flush();
      releaseFinished();
    }
  }

  private void flush() {
    long number = started.incrementAndGet();
    flush.flushAll();
    finished.accumulateAndGet(number, Math::max);
  }

  private void releaseFinished() {
    for (FlushRing ring : rings.all()) {
      ring.lock();
      try {
        ring.release(finished.get(), release);
      } finally {
        ring.unlock();
      }
    }
  }

  /** Count the ranges that wait. */
  public int pending() {
    int sum = 0;
    for (FlushRing ring : rings.all()) {
      ring.lock();
      sum += ring.count();
      ring.unlock();
    }
    return sum;
  }

  /** Count the ranges that were released so far, by whichever thread. */
  public long released() {
    long sum = 0;
    for (FlushRing ring : rings.all()) {
      ring.lock();
      sum += ring.released();
      ring.unlock();
    }
    return sum;
  }

  /** Return the number of the latest flush that has finished: what was queued before that began is released by now, or soon. */
  public long finished() {
    return finished.get();
  }

  /** Count the flushes that this queue has begun. */
  public long flushes() {
    return started.get();
  }

  /** Refuse further ranges, flush, and release all that wait. A timer that fires later finds nothing to do. */
  @Override
  public void close() {
    closed = true;
    drain();
  }
}
