/** What the kernel says of the PCI functions it knows, by sysfs and procfs, and which driver each has. Nothing here opens a device. */
@NullMarked
package io.twostep.machine.linux.pci;

import org.jspecify.annotations.NullMarked;
