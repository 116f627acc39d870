package io.twostep.machine.model;

import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Make the n-th call of one kind fail, once, the way that call fails in earnest.
 *
 * <p>A sweep arms n = 1, 2, ... and runs the same work each time until {@link #fired} answers false: then every call has failed once. Thread-safe.
 */
public final class FailNth {
  /** What can fail. */
  public enum Kind {
    /** Any allocation of memory: NOT_BACKED. */
    ALLOCATE,
    /** Making tables visible: BACKEND. */
    PUBLISH,
    /** Invalidating: QUARANTINED, and the caches keep what they had. */
    INVALIDATE,
    /** Plugging a model: IllegalStateException. */
    PLUG,
    /** Reading a register: all ones, as from a device that is gone. */
    MMIO_READ,
    /** Writing a register: the write is lost. */
    MMIO_WRITE,
    /** A read by a device: COMPLETER_ABORT. */
    BUS_READ,
    /** A write by a device: COMPLETER_ABORT. */
    BUS_WRITE,
    /** An interrupt: lost. */
    INTERRUPT
  }

  private final AtomicReference<@Nullable Kind> armed = new AtomicReference<>();
  private final AtomicLong left = new AtomicLong();
  private volatile boolean fired;

  FailNth() {}

  /**
   * Make the {@code n}-th call of {@code kind} from now on fail; replaces what was armed before.
   *
   * @param n from 1
   */
  public void arm(Kind kind, long n) {
    if (n < 1) {
      throw new IllegalArgumentException("cannot fail call number " + n + ": calls count from 1");
    }
    armed.set(null);
    fired = false;
    left.set(n);
    armed.set(Objects.requireNonNull(kind, "kind"));
  }

  /** Let everything succeed. */
  public void disarm() {
    armed.set(null);
  }

  /** Tell whether the call armed last has failed. */
  public boolean fired() {
    return fired;
  }

  /** Count a call; returns true if it is the one to fail. */
  boolean hits(Kind kind) {
    return armed.getPlain() == kind && countDown(kind);
  }

  private boolean countDown(Kind kind) {
    if (left.decrementAndGet() != 0 || !armed.compareAndSet(kind, null)) {
      return false;
    }
    fired = true;
    return true;
  }
}
