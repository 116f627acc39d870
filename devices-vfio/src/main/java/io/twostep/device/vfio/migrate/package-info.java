/**
 * Whole migrations: source and destination, the channel between them, and the record that says which of them may run the guest. No threads and no clock of its own: callers step both sides.
 */
@NullMarked
package io.twostep.device.vfio.migrate;

import org.jspecify.annotations.NullMarked;
