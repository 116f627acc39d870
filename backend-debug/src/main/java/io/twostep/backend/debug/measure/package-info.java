/**
 * Counting and timing of calls: the part of the checker that may stay on in production.
 *
 * <p>What lives here knows no rule and allocates nothing once it is warm.
 */
@NullMarked
package io.twostep.backend.debug.measure;

import org.jspecify.annotations.NullMarked;
