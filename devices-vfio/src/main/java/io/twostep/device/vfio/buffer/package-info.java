/**
 * Memory that devices save their state into and load it from: pages from wherever they are free, a list of them without an entry per page, one range of I/O addresses, and the table that a device is
 * given. Knows nothing of what is saved.
 */
@NullMarked
package io.twostep.device.vfio.buffer;

import org.jspecify.annotations.NullMarked;
