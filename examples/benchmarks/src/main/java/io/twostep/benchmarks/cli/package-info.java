/** The command {@code twostep benchmark}: chooses what is measured, runs it in JVMs of its own, and prints what it cost. Nothing is measured here. */
@NullMarked
package io.twostep.benchmarks.cli;

import org.jspecify.annotations.NullMarked;
