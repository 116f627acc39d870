package io.twostep.dma;

import io.twostep.dma.spi.Misuse;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The phases of a handle, idle, mapped, in use, orphaned and closed, changed by compare-and-set so that a second teardown or a second thread is always caught; and what a call is
 * told that meets the wrong one.
 *
 * <p>An idle handle whose mapper has closed is orphaned: it has let go of its stack, and all that is left to do with it is close.
 */
abstract sealed class HandlePhases permits DmaHandle {
  private static final int IDLE = 0;
  private static final int ACTIVE = 1;
  private static final int BUSY = 2;
  private static final int CLOSED = 3;
  private static final int ORPHANED = 4;
  private static final String MAPPED = "mapped";
  private static final String[] NAMES = {
    "is idle", "is " + MAPPED, "is in use by another call", "is closed", "holds nothing, and its mapper was closed"
  };

  private static final VarHandle PHASE;

  static {
    try {
      PHASE = MethodHandles.lookup().findVarHandle(HandlePhases.class, "phase", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  @SuppressWarnings("unused") // written through PHASE
  private int phase;

  /** Tell the stack of a call that is about to be refused. */
  abstract void refused(Misuse misuse, String call, long first, long length);

  /** Return what a call on the handle throws once its mapper has closed. */
  abstract RuntimeException detached();

  /** Return the device's name. */
  abstract String deviceName();

  /** Say that the idle handle holds nothing, and what makes it. */
  String howToMap() {
    return "is not mapped; call map() first";
  }

  /** Take the idle handle for a request, or throw what is wrong. */
  final void claimIdle(String call) {
    if (!PHASE.compareAndSet(this, IDLE, BUSY)) {
      throw notIdle(call);
    }
  }

  /** Take the mapped handle for its teardown, or throw what is wrong. */
  final void claimMapped(String call) {
    if (!PHASE.compareAndSet(this, ACTIVE, BUSY)) {
      throw notMappedAnyMore(call);
    }
  }

  /** End a claim: the handle holds nothing. */
  final void setIdle() {
    PHASE.setRelease(this, IDLE);
  }

  /** End a claim: the handle is mapped. */
  final void setMapped() {
    PHASE.setRelease(this, ACTIVE);
  }

  /** Orphan the handle if it is idle. */
  final boolean tryOrphan() {
    return PHASE.compareAndSet(this, IDLE, ORPHANED);
  }

  /** Close the handle if it is idle. */
  final boolean tryClose() {
    return PHASE.compareAndSet(this, IDLE, CLOSED);
  }

  /** Close the handle if it is orphaned. */
  final boolean tryCloseOrphan() {
    return PHASE.compareAndSet(this, ORPHANED, CLOSED);
  }

  final boolean isMapped() {
    return (int) PHASE.getAcquire(this) == ACTIVE;
  }

  final boolean isMappedOrBusy() {
    int now = (int) PHASE.getAcquire(this);
    return now == ACTIVE || now == BUSY;
  }

  final boolean isClosed() {
    return (int) PHASE.getAcquire(this) == CLOSED;
  }

  /** As {@link #isMapped}, for a check that orders nothing: who goes on wrongly meets a claim. */
  final boolean seemsMapped() {
    return (int) PHASE.getOpaque(this) == ACTIVE;
  }

  final void requireActive(String call) {
    if (!seemsMapped()) {
      throw notMapped(call);
    }
  }

  final void requireIdle(String call) {
    if ((int) PHASE.getOpaque(this) != IDLE) {
      throw notIdle(call);
    }
  }

  final void requireOpen(String call) {
    int now = (int) PHASE.getAcquire(this);
    if (now == CLOSED || now == ORPHANED) {
      throw notIdle(call);
    }
  }

  /** What a call that needs the handle idle throws otherwise. */
  private RuntimeException notIdle(String call) {
    int now = (int) PHASE.getAcquire(this);
    refusedIn(now, call);
    if (now == ORPHANED) {
      return detached();
    }
    return wrongPhase(call, now == ACTIVE ? "is " + MAPPED + "; take that down first" : NAMES[now]);
  }

  /** What a call that needs the handle mapped throws otherwise. */
  private RuntimeException notMapped(String call) {
    int now = (int) PHASE.getAcquire(this);
    refusedIn(now, call);
    return wrongPhase(call, now == IDLE ? howToMap() : NAMES[now]);
  }

  /** What a teardown of a handle that is not mapped throws. */
  private RuntimeException notMappedAnyMore(String call) {
    int now = (int) PHASE.getAcquire(this);
    refusedIn(now, call);
    return wrongPhase(call, now == IDLE ? "holds nothing: it was never mapped, or was torn down already" : NAMES[now]);
  }

  /** What a close throws that meets another call. */
  final RuntimeException notClosable() {
    int now = (int) PHASE.getAcquire(this);
    refusedIn(now, "close");
    return wrongPhase("close", NAMES[now]);
  }

  private void refusedIn(int phase, String call) {
    if (phase == ORPHANED) {
      return;
    }
    refused(
        switch (phase) {
          case IDLE -> Misuse.NOT_MAPPED;
          case ACTIVE -> Misuse.ALREADY_MAPPED;
          case BUSY -> Misuse.IN_USE;
          default -> Misuse.CLOSED;
        },
        call,
        0,
        0);
  }

  private IllegalStateException wrongPhase(String call, String what) {
    return new IllegalStateException(deviceName() + ": " + call + "(): this " + getClass().getSimpleName() + " " + what);
  }
}
