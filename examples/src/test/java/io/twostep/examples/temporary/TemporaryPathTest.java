package io.twostep.examples.temporary;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What is temporary is gone afterwards, with all that was put in. */
class TemporaryPathTest {
  @Test
  void aFileIsGoneOnceClosedAndMayHaveGoneBefore() throws Exception {
    TemporaryPath file = TemporaryPath.file("twostep-test-", "bytes.bin");
    assertThat(file.path()).isEmptyFile();
    file.close();
    assertThat(file.path().getParent()).doesNotExist();
    file.close();
  }

  @Test
  void aFolderIsGoneWithAllThatIsInIt() throws Exception {
    Path within;
    try (TemporaryPath folder = TemporaryPath.folder("twostep-test-")) {
      within = Files.createDirectory(folder.path().resolve("inner"));
      Files.writeString(within.resolve("file"), "text");
    }
    assertThat(within.getParent()).doesNotExist();
  }
}
