/**
 * Maps the same buffers by every strategy through every backend, and counts and times what each did: layouts and where they come from, the machine they are placed on,
 * strategies, the passes that count and time, and the advice. Nothing here prints.
 */
@NullMarked
package io.twostep.examples.compare;

import org.jspecify.annotations.NullMarked;
