package io.twostep.machine.linux.vfiouser.server;

import io.twostep.machine.linux.kernel.Descriptor;
import java.util.List;

/**
 * What answers a command that went well.
 *
 * @param payload bytes that lie ready to be sent
 * @param descriptors what goes along; still the server's
 */
record Reply(int payload, List<Descriptor> descriptors) {
  static final Reply EMPTY = new Reply(0, List.of());
}
