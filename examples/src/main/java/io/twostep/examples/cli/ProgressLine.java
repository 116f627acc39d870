package io.twostep.examples.cli;

import io.twostep.examples.nvme.ProgressListener;
import java.io.PrintWriter;

/** Shows how far long work has come: a line that is rewritten on a terminal, else a line now and then for long files. */
final class ProgressLine {
  private static final long LONG_FILE = 256L << 20;
  private static final long TERMINAL_NANOS = 100_000_000;
  private static final long PLAIN_NANOS = 10_000_000_000L;

  private final PrintWriter err;
  private final TerminalLine rewritten;
  private final long fileSize;
  private final boolean terminal;
  private final int runs;
  private int run;
  private long shown = System.nanoTime();

  ProgressLine(PrintWriter err, long fileSize, int runs) {
    this.err = err;
    rewritten = new TerminalLine(err);
    this.fileSize = fileSize;
    this.runs = runs;
    terminal = TerminalLine.isTerminal();
  }

  /** Begin a run and return who hears of it. */
  ProgressListener begin(String name) {
    return begin(name, "bytes");
  }

  /** Begin a run that is measured in {@code unit}. */
  ProgressListener begin(String name, String unit) {
    int number = ++run;
    return (what, done, total) -> show(number, name, what, done, total, unit);
  }

  private void show(int number, String name, String what, long done, long total, String unit) {
    if (!terminal && fileSize < LONG_FILE) {
      return;
    }
    long now = System.nanoTime();
    if (now - shown < (terminal ? TERMINAL_NANOS : PLAIN_NANOS)) {
      return;
    }
    shown = now;
    String line =
        String.format("run %d of %d, %s: %s %d %% of %,d %s", Math.min(number, runs), runs, name, what, done * 100 / Math.max(1, total), total, unit);
    if (terminal) {
      rewritten.show(line);
    } else {
      err.println(line);
    }
  }

  /** Clear the line. */
  void end() {
    rewritten.clear();
  }
}
