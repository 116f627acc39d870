/**
 * What drivers call: mappings, two-step reservations, whole-request transfers, long-lived windows, coherent memory, and the
 * typed errors of all of them. One implementation of handles and validation lives here; where bytes really go is decided by
 * the {@link io.twostep.dma.spi.DmaOps} stack below. No plugin, machine or injector belongs in this package.
 */
@NullMarked
package io.twostep.dma;

import org.jspecify.annotations.NullMarked;
