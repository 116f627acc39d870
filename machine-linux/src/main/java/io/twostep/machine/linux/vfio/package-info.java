/**
 * VFIO as the kernel's user API has it: containers, groups, devices and the structures of their requests, over the {@code kernel} package. Nothing here knows address
 * spaces, slots or drivers.
 */
@NullMarked
package io.twostep.machine.linux.vfio;

import org.jspecify.annotations.NullMarked;
