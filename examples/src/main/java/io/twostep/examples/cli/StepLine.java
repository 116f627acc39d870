package io.twostep.examples.cli;

import io.twostep.examples.compare.Progress;
import java.io.PrintWriter;

/** Shows the step that long work has come to, on a terminal only: a line that is rewritten. */
final class StepLine implements Progress {
  private final TerminalLine rewritten;
  private final boolean terminal = TerminalLine.isTerminal();

  StepLine(PrintWriter err) {
    rewritten = new TerminalLine(err);
  }

  @Override
  public void step(String what, int step, int total) {
    if (terminal) {
      rewritten.show(step + " of " + total + ": " + what);
    }
  }

  /** Clear the line. */
  void end() {
    rewritten.clear();
  }
}
