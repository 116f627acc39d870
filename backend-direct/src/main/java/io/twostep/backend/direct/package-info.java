/**
 * The terminal backend for devices that nothing translates for: a DMA address is the physical address, shifted by the offset of its window.
 *
 * <p>What lives here decides whether a device reaches a range as it is, and moves ownership of cache lines for devices that do not snoop. Nothing
 * is copied, allocated or remembered here: what does not fit is refused with a reason, and layers above may help.
 */
@NullMarked
package io.twostep.backend.direct;

import org.jspecify.annotations.NullMarked;
