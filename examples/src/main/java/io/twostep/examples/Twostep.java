package io.twostep.examples;

import io.twostep.examples.cli.CommandLineMain;
import io.twostep.examples.cli.StandardOutput;
import java.io.PrintStream;
import java.util.Locale;

/** The command line {@code twostep}. */
public final class Twostep {
  private Twostep() {}

  /** Run a command and exit with its status: 0 done, 1 failed, 2 bad input. */
  public static void main(String[] arguments) {
    // Numbers are read by programs too, and every module's messages have some: the same digits and separators everywhere.
    Locale.setDefault(Locale.ROOT);
    StandardOutput output = new StandardOutput();
    PrintStream out = output.text();
    System.setOut(out);
    System.exit(output.statusAfter(CommandLineMain.run(out, System.err, arguments), System.err));
  }
}
