package io.twostep.dma.count;

import io.twostep.dma.spi.ThreadPlaces;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * Counts how often something is held, until it is closed: exact, whatever threads add and remove at once.
 *
 * <p>One word counts until two threads meet there. From then on each thread counts in a place of its own, so that what many threads use at once does not hand a cache line around. What a place
 * does not hold, the word may. Whoever needs the sum shuts all places and gathers what they hold in the word, which then decides alone until threads meet again.
 *
 * <p>What is added and removed at once is a positive number; callers see to that. Thread-safe. Memory, 2 to 8 KiB by the number of processors, is allocated when threads first meet, and kept.
 */
public final class HoldCount {
  /** The sign: of the word, that nothing may be added; of a place, that it is shut. */
  private static final long SHUT = Long.MIN_VALUE;

  private static final int FEWEST_PLACES = 16;
  private static final int MOST_PLACES = 64;

  /** Longs from place to place: two cache lines, because processors fetch pairs of them. */
  private static final int STRIDE = 16;

  /** How many threads have a place of their own. */
  private static final int COUNT = Math.clamp(4L * Runtime.getRuntime().availableProcessors(), FEWEST_PLACES, MOST_PLACES);

  /** Which place is whose, in all counts alike. */
  private static final ThreadPlaces THREADS = new ThreadPlaces(COUNT);

  private static final VarHandle WORD;
  private static final VarHandle PLACE = MethodHandles.arrayElementVarHandle(long[].class);

  static {
    try {
      WORD = MethodHandles.lookup().findVarHandle(HoldCount.class, "word", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private volatile long word;

  /** Null until threads have met. */
  private volatile long @Nullable [] places;

  /** There while the count is closed and held, until the task begins; under the lock. */
  private @Nullable Runnable whenZero;

  /** Add to the count; false, with nothing changed, once it is closed. */
  public boolean tryAdd(long times) {
    // Out of line is what happens only once threads have met, so that this is compiled into its callers.
    long now = word;
    return (now >= 0 && places == null && WORD.compareAndSet(this, now, now + times)) || tryAddAnywhere(times);
  }

  private boolean tryAddAnywhere(long times) {
    while (true) {
      long[] all = places;
      if (all != null && tryAddInPlace(all, times, 0)) {
        return true;
      }
      long now = word;
      if (now < 0) {
        return false;
      }
      if (WORD.compareAndSet(this, now, now + times)) {
        return true;
      }
      spread();
    }
  }

  /** Add one on behalf of somebody who holds, even if the count is closed; false if nobody does. */
  public boolean tryAddToHeld() {
    long[] all = places;
    if (all != null && tryAddInPlace(all, 1, 1)) {
      return true;
    }
    synchronized (this) {
      gather();
      while (true) {
        long now = word;
        if ((now & ~SHUT) == 0) {
          return false;
        }
        if (WORD.compareAndSet(this, now, now + 1)) {
          return true;
        }
      }
    }
  }

  /** Remove from the count what was added, by whichever thread; false, with nothing changed, if so much is not held. */
  public boolean tryRemove(long times) {
    long now = word;
    return (now >= times && places == null && WORD.compareAndSet(this, now, now - times)) || tryRemoveAnywhere(times);
  }

  private boolean tryRemoveAnywhere(long times) {
    while (true) {
      long[] all = places;
      if (all != null && tryAddInPlace(all, -times, times)) {
        return true;
      }
      long now = word;
      if ((now & ~SHUT) < times) {
        // Even if no places were found above: since then others may have spread, and let go of what the word held.
        if (!gathersAtLeast(times)) {
          return false;
        }
      } else if (WORD.compareAndSet(this, now, now - times)) {
        if (now - times == SHUT) {
          runWhenZero();
        }
        return true;
      }
      // Only who adds spreads: places take memory, and whoever lets go must not fail for want of it.
    }
  }

  /** Close the count if it is zero; false, with nothing changed, if it is not. True also if it is closed and zero already. */
  public synchronized boolean tryClose() {
    gather();
    return WORD.compareAndSet(this, 0L, SHUT) || word == SHUT;
  }

  /**
   * Close the count, and run {@code whenZero} once it is zero: now, or on the thread that removes the last.
   *
   * @return false, with nothing changed, if it was closed before and is not zero yet
   */
  public boolean close(Runnable whenZero) {
    synchronized (this) {
      gather();
      long now = word;
      if (now < 0 && now != SHUT) {
        return false;
      }
      if (((long) WORD.getAndBitwiseOr(this, SHUT) & ~SHUT) != 0) {
        this.whenZero = whenZero;
        return true;
      }
    }
    // Not by the field: it may hold the task of an earlier close, which whoever removed the last is about to run.
    whenZero.run();
    return true;
  }

  /** Return the count. */
  public synchronized long sum() {
    gather();
    return word & ~SHUT;
  }

  /** Run the task of who closed the count while it was held; the lock waits for it to be there. */
  private void runWhenZero() {
    Runnable task;
    synchronized (this) {
      task = whenZero;
      whenZero = null;
    }
    if (task != null) {
      task.run();
    }
  }

  /** Change what the calling thread's place holds, if that is at least {@code least}; false, with nothing changed, if it is not or the place is shut. */
  private static boolean tryAddInPlace(long[] places, long change, long least) {
    // The first and the last place belong to nobody: they keep the others off the cache lines of other objects.
    int at = (THREADS.ofThread() + 1) * STRIDE;
    long held = (long) PLACE.getVolatile(places, at);
    while (held >= least) {
      long found = (long) PLACE.compareAndExchange(places, at, held, held + change);
      if (found == held) {
        return true;
      }
      held = found;
    }
    return false;
  }

  /** Let each thread count in a place of its own from now on, unless the count is closed. */
  synchronized void spread() {
    if (word < 0) {
      return;
    }
    long[] all = places;
    if (all == null) {
      places = new long[(COUNT + 2) * STRIDE];
      return;
    }
    for (int at = STRIDE; at < all.length - STRIDE; at += STRIDE) {
      PLACE.compareAndSet(all, at, SHUT, 0L);
    }
  }

  private synchronized boolean gathersAtLeast(long times) {
    gather();
    return (word & ~SHUT) >= times;
  }

  /** Shut all places and bring what they hold to the word; under the lock. */
  private void gather() {
    long[] all = places;
    if (all == null) {
      return;
    }
    for (int at = STRIDE; at < all.length - STRIDE; at += STRIDE) {
      long held = (long) PLACE.getAndSet(all, at, SHUT);
      if (held > 0) {
        WORD.getAndAdd(this, held);
      }
    }
  }
}
