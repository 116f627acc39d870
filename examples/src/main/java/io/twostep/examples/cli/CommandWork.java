package io.twostep.examples.cli;

import java.io.PrintWriter;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What a command does once its options are read; the result is the exit status, and what it throws is told in one line. */
public abstract class CommandWork implements Callable<Integer> {
  @Spec private @Nullable CommandSpec spec;

  /** Create a command that picocli fills in. */
  protected CommandWork() {}

  /** Return where results go; it is not the command's to close. */
  protected final PrintWriter out() {
    return Objects.requireNonNull(spec).commandLine().getOut();
  }

  /** Return where progress and remarks go; it is not the command's to close. */
  protected final PrintWriter err() {
    return Objects.requireNonNull(spec).commandLine().getErr();
  }
}
