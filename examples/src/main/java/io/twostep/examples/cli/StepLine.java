package io.twostep.examples.cli;

import io.twostep.examples.compare.Progress;
import java.io.PrintWriter;

/** Shows the step that long work has come to, on a terminal only: a line that is rewritten. */
final class StepLine implements Progress {
  private final PrintWriter err;
  private final boolean terminal = ProgressLine.isTerminal();
  private boolean open;

  StepLine(PrintWriter err) {
    this.err = err;
  }

  @Override
  public void step(String what, int step, int total) {
    if (terminal) {
      err.print("\r\033[K" + step + " of " + total + ": " + what);
      err.flush();
      open = true;
    }
  }

  /** Clear the line. */
  void end() {
    if (open) {
      err.print("\r\033[K");
      err.flush();
      open = false;
    }
  }
}
