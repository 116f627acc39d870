package io.twostep.examples.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Standard output, which remembers the first failure of what print streams only flag. Thread-safe. */
public final class StandardOutput extends OutputStream {
  /** Exit status of a process whose reader went away: what the shell reports of one that SIGPIPE ended. */
  static final int READER_GONE = 141;

  private final OutputStream real;
  private volatile @Nullable IOException failure;

  /** Write to the process's standard output. */
  public StandardOutput() {
    this(new FileOutputStream(FileDescriptor.out));
  }

  StandardOutput(OutputStream real) {
    this.real = real;
  }

  /** Return a stream to print text to, in UTF-8 whatever the locale. */
  public PrintStream text() {
    return new PrintStream(this, true, StandardCharsets.UTF_8);
  }

  /** Return the exit status of a command that ended with {@code status}, and say on {@code err} what is missing from its output. */
  public int statusAfter(int status, PrintStream err) {
    IOException failed = failure;
    if (failed == null) {
      return status;
    }
    if (String.valueOf(failed.getMessage()).toLowerCase(Locale.ROOT).contains("broken pipe")) {
      return READER_GONE;
    }
    err.println("twostep: failed: the output could not be written: " + failed.getMessage());
    return status == CommandLineMain.DONE ? CommandLineMain.FAILED : status;
  }

  @Override
  public void write(int one) throws IOException {
    write(new byte[] {(byte) one}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    if (failure != null) {
      return;
    }
    try {
      real.write(bytes, offset, length);
    } catch (IOException e) {
      failure = e;
      throw e;
    }
  }
}
