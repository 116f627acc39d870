/** Hosts that talk over a modelled wire, for the examples that need two of them. What belongs here is what all of those do the same: adapter, connection, small messages. */
@NullMarked
package io.twostep.examples.fabric;

import org.jspecify.annotations.NullMarked;
