/**
 * Serves a device model to another process over a UNIX socket, by the vfio-user protocol. The client is a stranger: nothing that it sends or does not send may do harm to
 * more than its own session.
 */
@NullMarked
package io.twostep.machine.linux.vfiouser.server;

import org.jspecify.annotations.NullMarked;
