package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

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
}
