package io.twostep.backend.iommu.iova;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Exclude other threads for a few dozen nanoseconds: one compare-and-set to enter, one store to leave, no memory.
 *
 * <p>Not reentrant. The lock word has a cache line pair of its own.
 */
final class SpinLock {
  private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);
  private static final int WORD = 16;
  private static final int SPINS = 64;

  private final long[] words = new long[2 * WORD];

  boolean tryLock() {
    // Acquire suffices: the section must not begin before the lock is taken, what came before may move in.
    return (long) WORDS.getOpaque(words, WORD) == 0 && (long) WORDS.compareAndExchangeAcquire(words, WORD, 0L, 1L) == 0;
  }

  @SuppressWarnings("ThreadPriorityCheck") // correctness does not rest on the yield, only the waiting time does
  void lock() {
    int spins = 0;
    while (!tryLock()) {
      if (++spins < SPINS) {
        Thread.onSpinWait();
      } else {
        // The holder may have lost its processor; with few processors spinning on would keep it from ending.
        Thread.yield();
      }
    }
  }

  void unlock() {
    WORDS.setRelease(words, WORD, 0L);
  }
}
