package io.twostep.backend.debug;

/** What the checker does about a report, beside counting it. */
public enum OnError {
  /**
   * Throw {@link CheckerException} where the call has not changed anything yet; what is found later, or in a teardown, which must always return, is thrown when the
   * layer is closed.
   */
  THROW,
  /** Log at level error. */
  LOG,
  /** Count only. */
  COUNT
}
