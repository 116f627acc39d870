/**
 * The allocator of bounce slots: pieces of 2 KiB in sets of 64, sets in areas with a lock each, areas in a pool that grows.
 *
 * <p>Pure: knows addresses, sizes and constraints, and gets its memory handed in. No device, no mapping, no copying, no clock.
 */
@NullMarked
package io.twostep.backend.swiotlb.pool;

import org.jspecify.annotations.NullMarked;
