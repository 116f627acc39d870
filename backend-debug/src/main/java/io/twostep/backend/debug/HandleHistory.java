package io.twostep.backend.debug;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/** What one state did until now; stays with the state across mappings. */
final class HandleHistory {
  private static final VarHandle INSIDE;

  static {
    try {
      INSIDE = MethodHandles.lookup().findVarHandle(HandleHistory.class, "inside", Thread.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /** What lives now, or null. */
  volatile @Nullable Tracked current;

  /** What lived last; null if nothing ever did. */
  volatile @Nullable Tracked last;

  /** Set when there was no room to follow what it holds: nothing is said of it any more. */
  volatile boolean unfollowed;

  @SuppressWarnings("unused") // written through INSIDE
  private volatile @Nullable Thread inside;

  /** Enter a call; returns the other thread that is in one, or null. */
  @Nullable Thread enter() {
    Thread me = Thread.currentThread();
    return INSIDE.compareAndSet(this, null, me) ? null : (Thread) INSIDE.getAcquire(this);
  }

  void leave() {
    INSIDE.compareAndSet(this, Thread.currentThread(), null);
  }
}
