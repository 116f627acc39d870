/** How costs grow: with the size of requests, with what is live, with threads, with age, with memory. Studies measure; who runs them writes and draws what they measured. */
@NullMarked
package io.twostep.benchmarks.growth;

import org.jspecify.annotations.NullMarked;
