package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** What a command's exit status is when its output went nowhere. */
class StandardOutputTest {
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  /** Prints a word to an output that fails with a message, or does not where there is none; returns the status of a command that ended with {@code status}. */
  private int statusAfter(int status, String message) {
    OutputStream failing =
        new OutputStream() {
          @Override
          public void write(int one) throws IOException {
            if (!message.isEmpty()) {
              throw new IOException(message);
            }
          }
        };
    StandardOutput output = new StandardOutput(failing);
    output.text().println("word");
    output.text().println("another word");
    return output.statusAfter(status, new PrintStream(err, true, StandardCharsets.UTF_8));
  }

  @Test
  void whatIsWrittenChangesNothing() {
    assertThat(statusAfter(CommandLineMain.DONE, "")).isEqualTo(CommandLineMain.DONE);
    assertThat(statusAfter(CommandLineMain.BAD_INPUT, "")).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(err.toString(StandardCharsets.UTF_8)).isEmpty();
  }

  @Test
  void aFullDiskIsAFailureAndIsSaidOnce() {
    assertThat(statusAfter(CommandLineMain.DONE, "No space left on device")).isEqualTo(CommandLineMain.FAILED);
    assertThat(err.toString(StandardCharsets.UTF_8)).isEqualToIgnoringNewLines("twostep: failed: the output could not be written: No space left on device");
  }

  @Test
  void aReaderThatWentAwayIsNothingToTalkAbout() {
    assertThat(statusAfter(CommandLineMain.DONE, "Broken pipe")).isEqualTo(StandardOutput.READER_GONE);
    assertThat(err.toString(StandardCharsets.UTF_8)).isEmpty();
  }
}
