/** A guest with devices that never rest, moved from one modelled machine to another over a socket while it runs, checked byte by byte; what {@code twostep migrate} does. */
@NullMarked
package io.twostep.examples.migrate;

import org.jspecify.annotations.NullMarked;
