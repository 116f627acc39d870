/**
 * Stores a file on an NVMe namespace and reads it back, by every mapping strategy, and measures what each costs. The two older strategies live
 * here because they are the comparison; drivers have no use for them.
 */
@NullMarked
package io.twostep.examples.nvme;

import org.jspecify.annotations.NullMarked;
