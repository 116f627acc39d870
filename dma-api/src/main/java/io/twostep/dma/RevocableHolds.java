package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.PeerRange;
import io.twostep.dma.spi.Retirement;
import io.twostep.dma.spi.Revocable;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The memory that one handle uses and that may be taken back, peers or exports, and the meeting point of the thread that uses the handle with the one that takes the memory back.
 *
 * <p>While a call of the handle is under way nobody else touches its state: the revoker leaves a note and the call acts on it when it returns. Otherwise the revoker
 * takes the translations down itself, under the monitor that every later call must enter; whoever waits for the memory hears of it when that is left. Handles that never held such memory have none of this.
 */
final class RevocableHolds implements RevocableHolder {
  private final DmaHandle handle;
  private @Nullable Revocable[] held = new Revocable[2];
  private int count;
  private boolean busy;

  /** Whether some of it is reached past translation, so that only the driver can let go of it. */
  private boolean untranslated;

  private boolean revoked;

  /** Whether its device was stopped because the handle held on. */
  private boolean stopped;

  private boolean takenDown;
  private boolean tellDriver;
  private @Nullable RuntimeException failure;

  /** The retirement of teardowns with such memory: never deferred, so that nothing stale outlives them. */
  private Retirement strict = new Retirement();

  RevocableHolds(DmaHandle handle) {
    this.handle = handle;
  }

  /** Note, during a call, that the handle uses memory. */
  @Override
  public synchronized boolean add(Revocable memory, long pins) {
    busy = true;
    if (!memory.add(this)) {
      return false;
    }
    if (count == held.length) {
      held = Arrays.copyOf(held, count * 2);
    }
    held[count++] = memory;
    return true;
  }

  /** Tell whether it holds peer memory of more than one device. */
  synchronized boolean severalProviders() {
    DeviceSlot first = null;
    for (int i = 0; i < count; i++) {
      if (held[i] instanceof PeerRange range) {
        if (first != null && first != range.provider()) {
          return true;
        }
        first = range.provider();
      }
    }
    return false;
  }

  /** Note that the handle let go of memory. */
  @Override
  public synchronized void remove(Revocable memory, long pins) {
    for (int i = count - 1; i >= 0; i--) {
      if (held[i] == memory) {
        held[i] = held[--count];
        held[count] = null;
        memory.remove(this);
        return;
      }
    }
    throw new IllegalStateException("the handle does not hold " + memory);
  }

  /** Note that memory of this call is reached without translation. */
  synchronized void reachedPastTranslation() {
    untranslated = true;
  }

  /**
   * Begin a call on the active handle.
   *
   * @throws DmaMappingException REVOKED if memory of it was taken back
   */
  synchronized void enter(String call) {
    if (revoked) {
      throw new DmaMappingException(
          Reason.REVOKED, handle.stack().device + ": " + call + "(): memory of this request was taken back by its owner; unmap it");
    }
    busy = true;
  }

  /** End a call, and do what a revocation left to it. */
  void leave() {
    synchronized (this) {
      busy = false;
      if (count == 0 && !takenDown) {
        forget();
      }
      if (!revoked) {
        return;
      }
    }
    if (actOnNote()) {
      handle.tellRevoked();
    }
  }

  /** Do what a revocation left to the call that has ended; returns whether the driver is still to be told. */
  private boolean actOnNote() {
    HeldCompletions.hold();
    try {
      synchronized (this) {
        takeDownTranslated();
        boolean tell = tellDriver;
        tellDriver = false;
        return tell;
      }
    } finally {
      HeldCompletions.release();
    }
  }

  @Override
  public void revoked(Revocable memory) {
    if (tryTakeDown(memory)) {
      handle.tellRevoked();
    }
  }

  /** Take everything down, unless that is done, or left to the call under way; returns whether the driver is to be told now. */
  private boolean tryTakeDown(Revocable memory) {
    HeldCompletions.hold();
    try {
      synchronized (this) {
        if (revoked || !Arrays.asList(held).contains(memory)) {
          return false;
        }
        revoked = true;
        tellDriver = busy;
        if (!busy) {
          takeDownTranslated();
        }
        return !busy;
      }
    } finally {
      HeldCompletions.release();
    }
  }

  /**
   * Take everything down unless only the driver can; what fails is quarantined and reported by the handle's own teardown.
   *
   * <p>The I/O addresses stay the handle's until its driver tears it down: its device may use them until then, and must meet nobody else's memory there.
   */
  private void takeDownTranslated() {
    if (!untranslated && !takenDown) {
      takenDown = true;
      failure = takeDown(isOwners(), true);
    }
  }

  /** Tell whether the memory may have been changed by its owner since its device was stopped; of peer memory nothing is copied, and what else a request with it maps is its driver's. */
  private boolean isOwners() {
    for (int i = 0; stopped && i < count; i++) {
      if (!(held[i] instanceof PeerRange)) {
        return true;
      }
    }
    return false;
  }

  /** Take everything down; what the device wrote elsewhere is not copied over what the owner wrote since. */
  private @Nullable RuntimeException takeDown(boolean owners, boolean keepAddresses) {
    strict.undo(owners);
    try {
      return handle.takeDownStrictly(strict, keepAddresses);
    } finally {
      strict.undo(false);
    }
  }

  /** Tell whether teardown concerns memory that may be taken back. */
  synchronized boolean any() {
    return count != 0 || takenDown;
  }

  /** Tear the handle down for its owner, or what a revocation left of it; returns what failed. A call as any other: no lock is held, and nobody else touches the handle. */
  @Nullable RuntimeException tearDown() {
    boolean takenDownBefore;
    boolean owners;
    synchronized (this) {
      busy = true;
      takenDownBefore = takenDown;
      owners = isOwners();
    }
    try {
      return takenDownBefore ? DmaHandle.join(failure, releaseAddresses()) : takeDown(owners, false);
    } finally {
      end();
    }
  }

  private synchronized void end() {
    busy = false;
    forget();
  }

  private @Nullable RuntimeException releaseAddresses() {
    try {
      strict.complete();
      return null;
    } catch (RuntimeException e) {
      return e;
    }
  }

  private void forget() {
    untranslated = false;
    revoked = false;
    stopped = false;
    takenDown = false;
    tellDriver = false;
    failure = null;
  }

  void renewStrict() {
    strict = new Retirement();
  }

  @Override
  public DmaMapper mapper() {
    return handle.mapper();
  }

  @Override
  public DeviceSlot device() {
    return handle.mapper().slot();
  }

  @Override
  public void stop() {
    synchronized (this) {
      stopped = true;
    }
    handle.mapper().stopDevice();
  }
}
