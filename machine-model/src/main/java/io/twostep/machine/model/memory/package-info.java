/**
 * RAM: a sparse file seen as one segment, the frames in it, who owns each, and what a device that does not snoop sees instead. Knows nothing of
 * devices, tables or time; randomness is handed in.
 */
@NullMarked
package io.twostep.machine.model.memory;

import org.jspecify.annotations.NullMarked;
