/**
 * Devices in their places, as drivers see them: registers, configuration space, interrupts, and the address space of their IOMMU group. Built on {@code vfio}, {@code
 * memory} and {@code run}; nothing here knows a driver.
 */
@NullMarked
package io.twostep.machine.linux.slot;

import org.jspecify.annotations.NullMarked;
