/**
 * The vfio-user protocol, version 0.1 and compatible ones: its messages as records that read and write their own bytes, and the socket that carries them. Pure but for
 * the socket; what a client or a server does with a message lives with them.
 */
@NullMarked
package io.twostep.machine.linux.vfiouser.protocol;

import org.jspecify.annotations.NullMarked;
