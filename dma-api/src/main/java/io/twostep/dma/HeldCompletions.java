package io.twostep.dma;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;

/**
 * Completes futures once the thread that let go of the last memory has left the mapping layer's own locks.
 *
 * <p>Whoever waits for such a future may take locks of its own on that thread, which another thread may have when it comes for one of ours. Each thread has its own.
 */
final class HeldCompletions {
  private static final ThreadLocal<HeldCompletions> OF_THREAD = ThreadLocal.withInitial(HeldCompletions::new);

  private final Deque<CompletableFuture<Void>> waiting = new ArrayDeque<>();
  private int holds;

  private HeldCompletions() {}

  /** Complete nothing on this thread before {@link #release}; may be nested. */
  static void hold() {
    OF_THREAD.get().holds++;
  }

  /** End one {@link #hold}, without our locks; the outermost completes what waits. */
  static void release() {
    HeldCompletions mine = OF_THREAD.get();
    if (--mine.holds == 0) {
      for (CompletableFuture<Void> next = mine.waiting.poll(); next != null; next = mine.waiting.poll()) {
        next.complete(null);
      }
    }
  }

  /** Complete a future, now or as soon as nothing holds that back. */
  static void complete(CompletableFuture<Void> future) {
    HeldCompletions mine = OF_THREAD.get();
    if (mine.holds == 0) {
      future.complete(null);
    } else {
      mine.waiting.add(future);
    }
  }
}
