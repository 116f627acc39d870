package io.twostep.examples.cli;

import java.io.PrintWriter;

/** A line of a terminal that is rewritten, until it is cleared. What does not fit is cut: a line that goes on in the next row cannot be rewritten. */
final class TerminalLine {
  private static final String CLEARED = "\r\033[K";
  private static final String CUT = "\033[?7l";
  private static final String WRAPPED = "\033[?7h";

  private final PrintWriter terminal;
  private boolean open;

  TerminalLine(PrintWriter terminal) {
    this.terminal = terminal;
  }

  /** Show a text instead of what was there. */
  void show(String text) {
    terminal.print(CLEARED + CUT + text + WRAPPED);
    terminal.flush();
    open = true;
  }

  /** Leave the line empty, if anything was shown. */
  void clear() {
    if (open) {
      terminal.print(CLEARED);
      terminal.flush();
      open = false;
    }
  }
}
