package io.twostep.dma;

import java.util.Objects;

/**
 * A mapping that the world did not allow: the reason, and a line that names the device, the range and the rule.
 *
 * <p>The failing call changed nothing. Misuse that the caller could have known is an {@link IllegalArgumentException} or {@link
 * IllegalStateException} instead.
 */
public final class DmaMappingException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Why a mapping was refused. */
  public enum Reason {
    /** The range lies beyond what the device or the bus can address. */
    OUT_OF_REACH(false),
    /** No I/O addresses are left under the device's limit. */
    IOVA_EXHAUSTED(true),
    /** No memory is left for I/O page tables. */
    TABLE_MEMORY(true),
    /** The bounce pool has no free slots just now. */
    BOUNCE_EXHAUSTED(true),
    /** The range is larger than an empty bounce pool could hold. */
    BOUNCE_TOO_LARGE(false),
    /** The range would have to be bounced and may not be. */
    BOUNCE_FORBIDDEN(false),
    /** The peer's memory cannot be reached by this device. */
    PEER_UNREACHABLE(false),
    /** Bus addresses cannot be linked into a reservation. */
    BUS_ADDRESS(false),
    /** An edge does not lie where the granule, the unit or the device demands. */
    MISALIGNED(false),
    /** The range leaves the reservation, the window or the address width, or is longer than the address space. */
    OUT_OF_BOUNDS(false),
    /** Part of the range is linked already. */
    ALREADY_LINKED(false),
    /** Part of the range is not linked. */
    NOT_LINKED(false),
    /** An edge lies inside a leaf, a bounced piece or a host mapping. */
    NOT_SPLITTABLE(false),
    /** There is no memory of this machine at that address. */
    NOT_BACKED(false),
    /** The ranges do not form one linear range. */
    NOT_LINEAR(false),
    /** The mapping would need cache maintenance or a bounce and the caller forbade both, or a cache line is shared. */
    COHERENCE_REQUIRED(false),
    /** The host has no mapping slots left. */
    MAPPING_SLOTS(true),
    /** The host's limit on pinned memory is reached. */
    PIN_LIMIT(true),
    /** The memory was taken back by its owner. */
    REVOKED(false),
    /** The device is gone or detached. */
    DETACHED(false),
    /** Something below could not be proved unreachable and is kept out of circulation. */
    QUARANTINED(false),
    /** A quota of this device is used up. */
    QUOTA(true),
    /** This stack does not offer the operation. */
    UNSUPPORTED(false),
    /** A third party's backend refused; the message says why. */
    BACKEND(false);

    private final boolean retryable;

    Reason(boolean retryable) {
      this.retryable = retryable;
    }

    /** Tell whether waiting, and nothing else, can help. */
    public boolean isRetryable() {
      return retryable;
    }
  }

  private final Reason reason;

  /**
   * Create an exception.
   *
   * @param message names the device, the range in hex, the rule and the remedy; the reason is added in brackets
   */
  public DmaMappingException(Reason reason, String message) {
    super(message + " [" + reason + "]");
    this.reason = Objects.requireNonNull(reason, "reason");
  }

  /** Create an exception with the failure below that caused it. */
  public DmaMappingException(Reason reason, String message, Throwable cause) {
    super(message + " [" + reason + "]", cause);
    this.reason = Objects.requireNonNull(reason, "reason");
  }

  /** Return why the mapping was refused. */
  public Reason reason() {
    return reason;
  }

  /** Tell whether waiting, and nothing else, can help. */
  public boolean isRetryable() {
    return reason.isRetryable();
  }
}
