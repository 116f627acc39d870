package io.twostep.examples;

import io.twostep.examples.cli.CommandLineMain;

/** The command line {@code twostep}. */
public final class Twostep {
  private Twostep() {}

  /** Run a command and exit with its status: 0 done, 1 failed, 2 bad input. */
  public static void main(String[] arguments) {
    System.exit(CommandLineMain.run(System.out, System.err, arguments));
  }
}
