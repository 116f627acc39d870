/**
 * The terminal backend behind an IOMMU: one allocator of I/O addresses and one set of translations per address space, shared by its devices.
 *
 * <p>What lives here composes the pure cores ({@code iova}, {@code table}) with a machine: which hardware format, whose memory, when to invalidate, what must wait
 * for it. No bounce buffers and no peer topology: what needs those is refused with a reason, and layers above help.
 */
@NullMarked
package io.twostep.backend.iommu;

import org.jspecify.annotations.NullMarked;
