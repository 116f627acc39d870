package io.twostep.tck;

import java.util.concurrent.atomic.AtomicLong;

/** Makes the n-th call that a backend makes of its machine fail, once, the way that call fails in earnest. Thread-safe. */
public final class FaultPlan {
  private final AtomicLong left = new AtomicLong();
  private final AtomicLong calls = new AtomicLong();
  private volatile Call kind = Call.ANY;
  private volatile boolean fired;

  /** What can fail. */
  public enum Call {
    /** Whatever comes first. */
    ANY,
    /** An allocation of memory: NOT_BACKED. */
    ALLOCATE,
    /** Making tables visible: BACKEND. */
    PUBLISH,
    /** Invalidating: QUARANTINED, and nothing is invalidated. */
    INVALIDATE,
    /** A host's mapping: PIN_LIMIT. */
    HOST_MAP,
    /** A host's unmapping: it confirms nothing. */
    HOST_UNMAP
  }

  /** Create a plan after which nothing fails. */
  public FaultPlan() {}

  /** Make the {@code n}-th call of {@code kind} from now on fail; {@code n} counts from 1. */
  public void arm(Call kind, long n) {
    fired = false;
    this.kind = kind;
    left.set(n);
  }

  /** Let everything succeed. */
  public void disarm() {
    left.set(0);
  }

  /** Tell whether the call armed last has failed. */
  public boolean fired() {
    return fired;
  }

  /** Return how many calls that can fail were made since the machine was made. */
  public long calls() {
    return calls.get();
  }

  /** Count a call; returns true if it is the one to fail. */
  boolean hits(Call call) {
    calls.incrementAndGet();
    if (left.get() <= 0 || (kind != Call.ANY && kind != call) || left.decrementAndGet() != 0) {
      return false;
    }
    fired = true;
    return true;
  }
}
