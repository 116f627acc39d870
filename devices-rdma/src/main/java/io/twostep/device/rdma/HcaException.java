package io.twostep.device.rdma;

/** Tells that an adapter refused something or did not answer; names the adapter. */
public final class HcaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Create one. */
  public HcaException(String message) {
    super(message);
  }
}
