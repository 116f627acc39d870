/**
 * A machine whose one device is served by another process over a UNIX socket, by the vfio-user protocol. The protocol itself lives in {@code protocol}, the serving
 * side in {@code server}; nothing here knows what the device is.
 */
@NullMarked
package io.twostep.machine.linux.vfiouser;

import org.jspecify.annotations.NullMarked;
