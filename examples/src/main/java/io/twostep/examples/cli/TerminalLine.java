package io.twostep.examples.cli;

import java.io.Console;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;

/** A line of a terminal that is rewritten, until it is cleared. What does not fit is cut: a line that goes on in the next row cannot be rewritten. */
final class TerminalLine {
  private static final String CLEARED = "\r\033[K";
  private static final String CUT = "\033[?7l";
  private static final String WRAPPED = "\033[?7h";

  private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

  private final PrintWriter terminal;
  private boolean open;

  TerminalLine(PrintWriter terminal) {
    this.terminal = terminal;
  }

  /** Tell whether standard error is a terminal. Only Linux can be asked that; elsewhere standard input and output stand for it. */
  static boolean isTerminal() {
    return isTerminal(STANDARD_ERROR);
  }

  /** The console is null since Java 25 where there is no terminal, as it was before Java 22. */
  @SuppressWarnings("SystemConsoleNull")
  static boolean isTerminal(Path standardError) {
    try {
      Path file = Files.readSymbolicLink(standardError);
      return file.startsWith("/dev/pts") || file.startsWith("/dev/console") || file.toString().startsWith("/dev/tty");
    } catch (IOException | UnsupportedOperationException e) {
      Console console = System.console();
      return console != null && console.isTerminal();
    }
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
