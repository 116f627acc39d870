package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;

/** The sink took no more: unwinds the request and is reported as a result, never thrown to a caller as it is. */
final class SinkRefused extends RuntimeException {
  private static final long serialVersionUID = 1;

  SinkRefused(String device, long entries) {
    super(device + ": the sink refused entry " + entries, null, true, false);
  }

  /**
   * Return what a request that failed comes to, once what could be undone is: a sink that refuses is a result, -1, unless the device may still reach something.
   *
   * @param left what is said where that could not be undone
   */
  static long result(RuntimeException cause, String left) {
    if (!(cause instanceof SinkRefused)) {
      throw cause;
    }
    Throwable[] failures = cause.getSuppressed();
    if (failures.length == 0) {
      return -1;
    }
    throw new DmaMappingException(Reason.QUARANTINED, cause.getMessage() + ", and " + left, failures[0]);
  }
}
