package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a terminal of any width is sent. */
class TerminalLineTest {
  private final StringWriter sent = new StringWriter();
  private final TerminalLine line = new TerminalLine(new PrintWriter(sent));

  @Test
  void aLineIsCutWhereTheTerminalEndsAndWhatFollowsIsNot() {
    line.show("one");
    line.show("two");
    line.clear();
    assertThat(sent.toString()).isEqualTo("\r\033[K\033[?7lone\033[?7h" + "\r\033[K\033[?7ltwo\033[?7h" + "\r\033[K");
  }

  @Test
  void nothingIsClearedWhereNothingWasShown() {
    line.clear();
    line.show("one");
    line.clear();
    int length = sent.toString().length();
    line.clear();
    assertThat(sent.toString()).hasSize(length).startsWith("\r\033[K\033[?7lone");
  }

  @Test
  void standardErrorIsAskedForItselfWhateverStandardOutputIs(@TempDir Path folder) throws IOException {
    assertThat(TerminalLine.isTerminal(link(folder, "/dev/pts/3"))).isTrue();
    assertThat(TerminalLine.isTerminal(link(folder, "/dev/tty1"))).isTrue();
    assertThat(TerminalLine.isTerminal(link(folder, "/dev/console"))).isTrue();
    assertThat(TerminalLine.isTerminal(link(folder, "/tmp/log"))).isFalse();
    assertThat(TerminalLine.isTerminal(link(folder, "pipe:[4711]"))).isFalse();
    assertThat(TerminalLine.isTerminal(link(folder, "/dev/null"))).isFalse();
  }

  private static Path link(Path folder, String target) throws IOException {
    return Files.createSymbolicLink(folder.resolve(target.replace('/', '_')), Path.of(target));
  }
}
