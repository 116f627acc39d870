/**
 * PCI functions: addresses, configuration space, BARs, registers, interrupts, and the bus on which functions reach memory through their address space.
 */
@NullMarked
package io.twostep.machine.model.pci;

import org.jspecify.annotations.NullMarked;
