package io.twostep.backend.swiotlb.pool;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Exclude other threads for a few dozen nanoseconds: one compare-and-set to enter, one store to leave, no memory.
 *
 * <p>Not reentrant. The state that it guards extends it; padding on both sides keeps the word off its neighbours' cache lines.
 */
abstract class SpinLock extends SpinLockWord {
  private static final VarHandle LOCKED;
  private static final int SPINS = 64;

  static {
    try {
      LOCKED = MethodHandles.lookup().findVarHandle(SpinLockWord.class, "locked", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  @SuppressWarnings("unused")
  private long b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14;

  @SuppressWarnings("ThreadPriorityCheck") // correctness does not rest on the yield, only the waiting time does
  final void lock() {
    int spins = 0;
    // Acquire suffices: the section must not begin before the lock is taken, what came before may move in.
    while (locked != 0 || (int) LOCKED.compareAndExchangeAcquire(this, 0, 1) != 0) {
      if (++spins < SPINS) {
        Thread.onSpinWait();
      } else {
        // The holder may have lost its processor; with few processors spinning on would keep it from ending.
        Thread.yield();
      }
    }
  }

  /** Enter unless another thread is inside. */
  final boolean tryLock() {
    return locked == 0 && (int) LOCKED.compareAndExchangeAcquire(this, 0, 1) == 0;
  }

  final void unlock() {
    LOCKED.setRelease(this, 0);
  }
}
