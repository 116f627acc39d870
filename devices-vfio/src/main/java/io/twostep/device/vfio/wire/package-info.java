/**
 * What driver, guest and device in software agree on: registers, commands, queue entries. Numbers and offsets only.
 */
@NullMarked
package io.twostep.device.vfio.wire;

import org.jspecify.annotations.NullMarked;
