package io.twostep.device.rdma.mirror;

import java.util.Objects;

/** A page that cannot be had: the kind, and a line that names the process, the address and the rule. The access changed nothing. */
public final class PageFaultException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Why a page cannot be had. */
  public enum Kind {
    /** The process has nothing at that address. */
    NOT_MAPPED,
    /** The process may not write there. */
    READ_ONLY,
    /** What backs the mapping has been cut off before that address. */
    NO_BACKING,
    /** No frame is left. */
    NO_FRAMES,
    /** Pages kept changing until the deadline. */
    DEADLINE,
    /** The page is not of the size that the user translates by. */
    PAGE_SIZE
  }

  private final Kind kind;

  /** Create an exception; the kind is added to the message in brackets. */
  public PageFaultException(Kind kind, String message) {
    super(message + " [" + kind + "]");
    this.kind = Objects.requireNonNull(kind, "kind");
  }

  /** Return why the page cannot be had. */
  public Kind kind() {
    return kind;
  }
}
