/**
 * The narrow door to the Linux kernel: the system calls that the rest of the module needs, as an interface, and one implementation by the Foreign Function and
 * Memory API. No policy lives here: nothing retries, chooses or remembers; {@link io.twostep.dma.spi.Closing} gives back what calls handed out.
 */
@NullMarked
package io.twostep.machine.linux.kernel;

import org.jspecify.annotations.NullMarked;
