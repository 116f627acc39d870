package io.twostep.machine.linux.fake;

import io.twostep.machine.linux.SystemCallException;

/** Picks the n-th of a kernel's calls, to go wrong. Thread-safe. */
public final class NthCall {
  private int calls;
  private String wanted = "";
  private int nth = -1;
  private int errno;
  private String picked = "";

  /** Count from here on, and pick the {@code n}-th call, the first being 1, to fail with an error. */
  public synchronized void pick(int n, int newErrno) {
    calls = 0;
    nth = n;
    errno = newErrno;
    picked = "";
    wanted = "";
  }

  /** Pick the next call that is {@code what}, such as {@code read /dev/kmsg}, to fail with an error. */
  public synchronized void pickFirst(String what, int newErrno) {
    pick(-1, newErrno);
    wanted = what;
  }

  /** Pick none any more. */
  public void pickNone() {
    pick(-1, 0);
  }

  /** Return the call that was picked; empty if there was none. */
  public synchronized String picked() {
    return picked;
  }

  /** Count a call; returns whether it is the one. */
  public synchronized boolean isPicked(String call, String subject) {
    String what = call + " " + subject;
    if (++calls != nth && !what.equals(wanted)) {
      return false;
    }
    wanted = "";
    picked = what;
    return true;
  }

  /** Count a call, and fail if it is the one. */
  public synchronized void failIfPicked(String call, String subject) {
    if (isPicked(call, subject)) {
      throw new SystemCallException(call, subject, errno);
    }
  }

  /** What is lived through with another call picked each time. */
  public interface Life {
    /** Live; returns whether all of it worked. */
    boolean worked();
  }

  /** What is checked between lives. */
  public interface Check {
    /** Check; {@code after} says what went wrong before. */
    void that(String after);
  }

  /**
   * Live again and again, with every call picked once, until a life has fewer calls than that, which has to work. Returns the number of calls picked.
   *
   * @param failure error number of calls that fail
   * @param afterwards what holds after each life
   */
  public int sweep(int failure, Life life, Check afterwards) {
    for (int n = 1; ; n++) {
      pick(n, failure);
      boolean worked = life.worked();
      String what = picked();
      pickNone();
      String after = "call %d: %s".formatted(n, what);
      afterwards.that(after);
      if (what.isEmpty()) {
        if (!worked) {
          throw new AssertionError("nothing went wrong on purpose, and the life did not work, after " + (n - 1) + " that did");
        }
        return n - 1;
      }
    }
  }
}
