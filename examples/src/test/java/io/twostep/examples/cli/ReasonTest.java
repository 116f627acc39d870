package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Why a file could not be used is said in words, wherever that came to light. */
class ReasonTest {
  @TempDir Path work;

  @Test
  void whatIsOnlyANameIsPutInWords() {
    assertThat(Reason.of(new NoSuchFileException("a"))).isEqualTo("a does not exist");
    assertThat(Reason.of(new AccessDeniedException("a"))).isEqualTo("a may not be used; check its permissions");
    assertThat(Reason.of(new FileSystemException("a", null, "No space left on device"))).isEqualTo("a: No space left on device");
    assertThat(Reason.of(new UncheckedIOException("cannot keep b in a", new AccessDeniedException("a")))).isEqualTo("cannot keep b in a: a may not be used; check its permissions");
    assertThat(Reason.of(new IOException())).isEqualTo("java.io.IOException");
  }

  @Test
  void aTemporaryFolderThatIsGoneIsSaidToBe() throws Exception {
    String file = Files.writeString(work.resolve("file"), "text").toString();
    String gone = work.resolve("gone").toString();
    String before = System.setProperty("java.io.tmpdir", gone);
    try {
      for (String[] arguments : List.of(new String[] {"nvme", file}, new String[] {"p2p", file}, new String[] {"migrate", "--memory", "4M"})) {
        Run run = Run.of(arguments);
        assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
        assertThat(run.err()).contains(gone + " does not exist").hasLineCount(1);
      }
    } finally {
      System.setProperty("java.io.tmpdir", before);
    }
  }
}
