/** The commands of {@code twostep}: what they accept, print and exit with. What they do to data lives beside this package. */
@NullMarked
package io.twostep.examples.cli;

import org.jspecify.annotations.NullMarked;
