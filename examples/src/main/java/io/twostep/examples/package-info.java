/** Small mains, one idea each, and the entry of the command line. Nothing here is for other modules to call. */
@NullMarked
package io.twostep.examples;

import org.jspecify.annotations.NullMarked;
