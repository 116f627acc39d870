package io.twostep.machine.linux.vfiouser.server;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * How a model is served.
 *
 * @param socket path of the socket
 * @param shared registers that clients write by store; null if there are none
 * @param timeoutNanos how long a client may take to finish a message, or to answer, nanoseconds
 */
public record VfioUserServerConfig(Path socket, @Nullable SharedWindow shared, long timeoutNanos) {
  /** Check the time. */
  public VfioUserServerConfig {
    if (timeoutNanos <= 0) {
      throw new IllegalArgumentException("a client needs more than " + timeoutNanos + " ns to answer");
    }
  }

  /** Return the defaults, for a socket: everything by message. */
  public static VfioUserServerConfig of(Path socket) {
    return new VfioUserServerConfig(socket, null, 5_000_000_000L);
  }

  /** Return a copy with another {@link #shared}. */
  public VfioUserServerConfig withShared(SharedWindow window) {
    return new VfioUserServerConfig(socket, window, timeoutNanos);
  }

  /** Return a copy with another {@link #timeoutNanos}. */
  public VfioUserServerConfig withTimeoutNanos(long nanos) {
    return new VfioUserServerConfig(socket, shared, nanos);
  }
}
