package io.twostep.dma.fake;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;

/** Counts the calls that may fail and lets one of them do so, or all from one on. */
public final class Faults {
  private long calls;
  private long failAt = -1;
  private boolean failed;
  private boolean asError;
  private boolean lasting;

  /** Let the n-th call from now on fail, counted from 0. */
  public void failAt(long n) {
    calls = 0;
    failAt = n;
    failed = false;
    asError = false;
    lasting = false;
  }

  /** Let the n-th call from now on and all that follow fail, counted from 0, until {@link #off}. */
  public void failFrom(long n) {
    failAt(n);
    lasting = true;
  }

  /** Let the n-th call from now on end in an {@link Error}, which nobody handles. */
  public void errorAt(long n) {
    failAt(n);
    asError = true;
  }

  /** Let every call pass. */
  public void off() {
    failAt = -1;
    lasting = false;
  }

  /** Tell whether the call that was to fail has come; remembered until the next {@link #failAt}. */
  public boolean hasFailed() {
    return failed;
  }

  /** Pass, or fail. */
  public void hit(String what) {
    long call = calls++;
    if (call == failAt || (lasting && call > failAt)) {
      failed = true;
      if (asError) {
        throw new AssertionError("injected error of " + what);
      }
      throw new DmaMappingException(Reason.BACKEND, "injected failure of " + what);
    }
  }
}
