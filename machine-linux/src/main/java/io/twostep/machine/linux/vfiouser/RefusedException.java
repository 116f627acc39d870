package io.twostep.machine.linux.vfiouser;

import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.Header;
import java.io.Serial;

/** A command that the server answered with an error; the connection goes on. */
final class RefusedException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  RefusedException(String device, Header reply) {
    super(device + ": the server refused " + Command.name(reply.command()) + ": " + reply.errorText());
  }
}
