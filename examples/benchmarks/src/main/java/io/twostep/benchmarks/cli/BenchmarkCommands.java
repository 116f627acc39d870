package io.twostep.benchmarks.cli;

import io.twostep.examples.cli.CommandSource;
import java.util.List;

/** Adds {@code benchmark} to the command line. */
public final class BenchmarkCommands implements CommandSource {
  /** Create the source; ServiceLoader does. */
  public BenchmarkCommands() {}

  @Override
  public List<Object> commands() {
    return List.of(new BenchmarkCommand());
  }
}
