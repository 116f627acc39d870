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
 * takes the translations down itself, under the monitor that every later call must enter. Handles that never held such memory have none of this.
 */
final class RevocableHolds implements RevocableHolder {
  private final DmaHandle handle;
  private @Nullable Revocable[] held = new Revocable[2];
  private int count;
  private boolean busy;

  /** Whether some of it is reached past translation, so that only the driver can let go of it. */
  private boolean untranslated;

  private boolean revoked;
  private boolean takenDown;
  private boolean tellDriver;
  private @Nullable RuntimeException failure;
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
    boolean tell;
    synchronized (this) {
      busy = false;
      if (count == 0 && !takenDown) {
        forget();
      } else if (revoked) {
        takeDownTranslated();
      }
      tell = tellDriver;
      tellDriver = false;
    }
    if (tell) {
      handle.tellRevoked();
    }
  }

  @Override
  public void revoked(Revocable memory) {
    synchronized (this) {
      if (revoked || !Arrays.asList(held).contains(memory)) {
        return;
      }
      revoked = true;
      tellDriver = busy;
      if (busy) {
        return;
      }
      takeDownTranslated();
    }
    handle.tellRevoked();
  }

  /** Take everything down unless only the driver can; what fails is quarantined and reported by the handle's own teardown. */
  private void takeDownTranslated() {
    if (!untranslated && !takenDown) {
      takenDown = true;
      failure = handle.takeDownStrictly();
    }
  }

  /** Tell whether teardown concerns memory that may be taken back. */
  synchronized boolean any() {
    return count != 0 || takenDown;
  }

  /** Tear the handle down for its owner, unless a revocation did; returns what failed. */
  synchronized @Nullable RuntimeException tearDown() {
    RuntimeException failed = takenDown ? failure : handle.takeDownStrictly();
    forget();
    return failed;
  }

  private void forget() {
    untranslated = false;
    revoked = false;
    takenDown = false;
    tellDriver = false;
    failure = null;
  }

  /** The retirement of teardowns with such memory: never deferred, so that nothing stale outlives them. */
  Retirement strict() {
    return strict;
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
    handle.mapper().stopDevice();
  }
}
