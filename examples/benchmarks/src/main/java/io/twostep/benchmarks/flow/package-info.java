/**
 * The flows of the mapping layer that are compared with a kernel's, by the names and with the meaning that the comparison gives them, and the plain
 * harness that times them: warm up, repeat, take the median. No product code belongs here.
 */
@NullMarked
package io.twostep.benchmarks.flow;

import org.jspecify.annotations.NullMarked;
