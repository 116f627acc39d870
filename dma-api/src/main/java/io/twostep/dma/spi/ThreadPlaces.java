package io.twostep.dma.spi;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Says which part of a structure serves the calling thread, so that threads that work at once stay out of each other's cache lines: each has a part of its own, whatever its number, as long as no more threads use the
 * structure than it has parts.
 *
 * <p>A thread stays with its part. Where there are more threads than parts, some share; a part whose thread has ended, or is idle, goes to one that shares it. So the answer is a hint: any thread may come to any part,
 * even to one that another is in, and each part needs its own lock or atomic operations.
 *
 * <p>Thread-safe, without locks; allocates nothing once it is made.
 */
public final class ThreadPlaces {
  /** Words in front of and behind the owners: two cache lines, because processors fetch pairs of them. */
  private static final int PADDING = 16;

  /** How far from where its number leads a thread looks for a place. */
  private static final int MOST_LOOKS = 16;

  /** Once in so many calls threads that share a place ask the owner of one whether it is still there, or take it if there was no answer. A power of two. */
  private static final int PATIENCE = 256;

  /** Longs from one count to the next. */
  private static final int STRIDE = 16;

  /** The lowest bit of an owner: whether it is still there has been asked. */
  private static final long ASKED = 1;

  private static final VarHandle OWNER = MethodHandles.arrayElementVarHandle(long[].class);

  /** For each place twice the number of its thread, or 0; written seldom, so that whoever reads it has it in its own cache. Behind the last place, up to a power of two, there is nobody. */
  private final long[] owners;

  /** For each place the calls of threads that share it. Counts may be lost: it is only patience. */
  private final long[] shared;

  private final int count;
  private final int mask;

  /**
   * Begin without threads.
   *
   * @param count how many parts there are, at least 1 and at most 2^20
   */
  public ThreadPlaces(int count) {
    if (count < 1 || count > 1 << 20) {
      throw new IllegalArgumentException("a structure has from 1 to 2^20 parts, not " + count);
    }
    this.count = count;
    mask = count == 1 ? 0 : Integer.highestOneBit(count - 1) * 2 - 1;
    owners = new long[mask + 1 + 2 * PADDING];
    shared = new long[(count + 1) * STRIDE];
  }

  /** Return the part that serves the calling thread, from 0 to one below their count. */
  public int ofThread() {
    return of(Thread.currentThread().threadId());
  }

  /** As {@link #ofThread}, for a thread by its number. Numbers follow each other, and threads that work together were mostly started in a row: as they are they seldom meet. */
  int of(long thread) {
    int home = (int) thread & mask;
    return owners[PADDING + home] == thread << 1 ? home : find(thread, home < count ? home : home - count);
  }

  private int find(long thread, int home) {
    if (count == 1) {
      return 0;
    }
    int place = home;
    for (int looks = Math.min(count, MOST_LOOKS); looks > 0; looks--) {
      long owner = (long) OWNER.getOpaque(owners, PADDING + place);
      if (owner >>> 1 == thread) {
        if (owner != thread << 1) {
          // Not asked any more: the owner has answered.
          OWNER.compareAndSet(owners, PADDING + place, owner, thread << 1);
        }
        return place;
      }
      if (owner == 0 && OWNER.compareAndSet(owners, PADDING + place, 0L, thread << 1)) {
        return place;
      }
      place = place + 1 == count ? 0 : place + 1;
    }
    share(thread, home);
    return home;
  }

  /** Share a place with its owner; from time to time ask another owner whether it is still there, and take its place if it has not answered by the next time. */
  private void share(long thread, int home) {
    int at = (home + 1) * STRIDE;
    long calls = (long) OWNER.getOpaque(shared, at) + 1;
    OWNER.setOpaque(shared, at, calls);
    if ((calls & (PATIENCE - 1)) == 0) {
      long time = calls / PATIENCE - 1;
      long turn = time / 2;
      // Mostly the place where the number leads: that one is found at the first look.
      long ahead = turn % 4 == 3 ? turn / 4 % Math.min(count, MOST_LOOKS) : 0;
      int place = PADDING + (int) ((home + ahead) % count);
      long owner = (long) OWNER.getOpaque(owners, place);
      if (time % 2 == 0) {
        OWNER.compareAndSet(owners, place, owner, owner | ASKED);
      } else if ((owner & ASKED) != 0) {
        OWNER.compareAndSet(owners, place, owner, thread << 1);
      }
    }
  }
}
