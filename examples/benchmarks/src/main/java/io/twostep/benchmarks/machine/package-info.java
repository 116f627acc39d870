/**
 * The least machine that a backend can be measured on: memory that is a window of addresses, translation hardware that is a counter, and sources of
 * scattered pages. Nothing here is measured, and nothing here measures.
 */
@NullMarked
package io.twostep.benchmarks.machine;

import org.jspecify.annotations.NullMarked;
