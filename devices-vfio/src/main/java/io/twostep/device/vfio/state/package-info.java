/**
 * The migration states of a device and the way from one to another, as one table. Pure: knows no device, no stream, no clock.
 */
@NullMarked
package io.twostep.device.vfio.state;

import org.jspecify.annotations.NullMarked;
