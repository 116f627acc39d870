package io.twostep.dma.fake;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;

/** Counts the calls that may fail and lets one of them do so. */
public final class Faults {
  private long calls;
  private long failAt = -1;
  private boolean failed;

  /** Let the n-th call from now on fail, counted from 0. */
  public void failAt(long n) {
    calls = 0;
    failAt = n;
    failed = false;
  }

  /** Let every call pass. */
  public void off() {
    failAt = -1;
  }

  /** Tell whether the call that was to fail has come; remembered until the next {@link #failAt}. */
  public boolean hasFailed() {
    return failed;
  }

  /** Pass, or fail. */
  public void hit(String what) {
    if (calls++ == failAt) {
      failed = true;
      throw new DmaMappingException(Reason.BACKEND, "injected failure of " + what);
    }
  }
}
