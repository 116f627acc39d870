package io.twostep.machine.linux.vfiouser.protocol;

import io.twostep.machine.linux.Errno;
import java.io.Serial;

/** A message that breaks the protocol, or asks for what cannot be: says which rule, and which error number answers it. */
public final class ProtocolException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  private final int errno;

  /** Create for a malformed message, which EINVAL answers. */
  public ProtocolException(String message) {
    this(Errno.EINVAL, message);
  }

  /** Create for a message that {@code errno} answers. */
  public ProtocolException(int errno, String message) {
    super(message);
    this.errno = errno;
  }

  /** Return the error number for the reply, positive. */
  public int errno() {
    return errno;
  }
}
