package io.twostep.dma;

/** The sink took no more: unwinds the request and is reported as a result, never thrown to a caller. */
final class SinkRefused extends RuntimeException {
  private static final long serialVersionUID = 1;

  SinkRefused(String device, long entries) {
    super(device + ": the sink refused entry " + entries, null, true, false);
  }
}
