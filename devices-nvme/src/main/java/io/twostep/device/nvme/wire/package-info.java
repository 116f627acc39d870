/**
 * What host and controller agree on, and nothing else: registers, queue entries, descriptors and data structures of the NVMe
 * specifications as named offsets, widths and bits. No behaviour of either side lives here: a rule belongs here only if both sides
 * must compute it alike (doorbell arithmetic, the shadow doorbell test). Figures in "Base", "NVM" and "PCIe" refer to the NVM
 * Express Base Specification 2.0, the NVM Command Set Specification 1.0 and the PCIe Transport Specification 1.0.
 */
@NullMarked
package io.twostep.device.nvme.wire;

import org.jspecify.annotations.NullMarked;
