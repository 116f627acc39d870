package io.twostep.machine.linux.vfiouser.protocol;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** A connection that cannot go on: closed, stalled, or out of step with the protocol. */
public final class ConnectionException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  /** Create with what happened, to be read after the name of the other end. */
  public ConnectionException(String message) {
    this(message, null);
  }

  /** Create with what happened, to be read after the name of the other end, and its cause. */
  public ConnectionException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
