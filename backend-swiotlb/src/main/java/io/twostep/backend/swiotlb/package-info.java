/**
 * The bounce layer: puts slots of its own in the place of memory that a device cannot reach, must not see, or cannot share cache lines with.
 *
 * <p>What lives here decides what is bounced, copies, and keeps the order of teardown. Where slots lie is decided by the pool below; what a device reaches is the terminal's to say.
 */
@NullMarked
package io.twostep.backend.swiotlb;

import org.jspecify.annotations.NullMarked;
