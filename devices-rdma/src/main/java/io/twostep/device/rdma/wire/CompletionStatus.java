package io.twostep.device.rdma.wire;

/** How a work request ended; codes are the syndromes of mlx5 error completions. */
public enum CompletionStatus {
  /** All of it was done. */
  SUCCESS(0x00),
  /** A message was longer than what was posted for it, or than a message may be. */
  LOCAL_LENGTH(0x01),
  /** The work request itself makes no sense. */
  LOCAL_OPERATION(0x02),
  /** A local key does not permit the access. */
  LOCAL_PROTECTION(0x04),
  /** Never tried: the queue pair failed before. */
  FLUSHED(0x05),
  /** The responder answered nonsense. */
  BAD_RESPONSE(0x10),
  /** A peer's request asked for what a local key does not permit. */
  LOCAL_ACCESS(0x11),
  /** The responder found the request invalid. */
  REMOTE_INVALID_REQUEST(0x12),
  /** The responder's key does not permit it. */
  REMOTE_ACCESS(0x13),
  /** The responder failed for reasons of its own. */
  REMOTE_OPERATION(0x14),
  /** No answer, however often it was tried. */
  RETRY_EXCEEDED(0x15),
  /** The receiver was not ready, however often it was tried. */
  RNR_RETRY_EXCEEDED(0x16);

  private final int syndrome;

  CompletionStatus(int syndrome) {
    this.syndrome = syndrome;
  }

  /** Return the code in an error completion. */
  public int syndrome() {
    return syndrome;
  }

  /** Return the status with a code; LOCAL_OPERATION for one that is not known. */
  public static CompletionStatus of(int syndrome) {
    for (CompletionStatus status : values()) {
      if (status.syndrome == syndrome) {
        return status;
      }
    }
    return LOCAL_OPERATION;
  }
}
