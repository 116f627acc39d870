package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WholeFileTest {
  private static final WholeFile.Content NEW = to -> to.write("new".getBytes(StandardCharsets.UTF_8));

  @TempDir Path work;

  private static void breaksOff(Path file) {
    assertThatThrownBy(
            () ->
                WholeFile.write(
                    file,
                    to -> {
                      NEW.writeTo(to);
                      to.flush();
                      throw new IOException("no space");
                    }))
        .isInstanceOf(IOException.class)
        .hasMessage("no space");
  }

  private Stream<String> names() throws IOException {
    try (Stream<Path> files = Files.list(work)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList().stream();
    }
  }

  @Test
  void whatCannotBeWrittenWholeLeavesTheFileAsItWas() throws Exception {
    Path file = Files.writeString(work.resolve("report.html"), "the old report");
    breaksOff(file);
    breaksOff(work.resolve("other.html"));

    assertThat(file).hasContent("the old report");
    assertThat(names()).containsExactly("report.html");
  }

  @Test
  void aFileThatIsReplacedKeepsItsPermissionsAndAnewOneHasTheUsual() throws Exception {
    assumeTrue(Files.getFileStore(work).supportsFileAttributeView("posix"), "files have no permissions");
    Path file = Files.writeString(work.resolve("report.html"), "the old report");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
    Path usual = Files.writeString(work.resolve("usual"), "");
    Path fresh = work.resolve("fresh");
    WholeFile.write(file, NEW);
    WholeFile.write(fresh, NEW);

    assertThat(file).hasContent("new");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-r-----");
    assertThat(Files.getPosixFilePermissions(fresh)).isEqualTo(Files.getPosixFilePermissions(usual));
    assertThat(names()).containsExactly("fresh", "report.html", "usual");
  }

  @Test
  void linksAreFollowedAlsoToWhatIsNotThereYet() throws Exception {
    Path file = Files.writeString(work.resolve("report.html"), "the old report");
    Path link = Files.createSymbolicLink(work.resolve("link"), Path.of("report.html"));
    Path dangling = Files.createSymbolicLink(work.resolve("dangling"), Path.of("later"));
    WholeFile.write(link, NEW);
    WholeFile.write(dangling, NEW);

    assertThat(file).hasContent("new");
    assertThat(work.resolve("later")).hasContent("new");
    assertThat(link).isSymbolicLink();
    assertThat(dangling).isSymbolicLink();
  }

  @Test
  void whatIsNoFileIsWrittenToAndStays() throws Exception {
    Path nothing = Path.of("/dev/null");
    assumeTrue(Files.exists(nothing));
    WholeFile.write(nothing, NEW);

    assertThat(Files.isRegularFile(nothing)).isFalse();
    assertThat(Files.exists(nothing)).isTrue();
  }
}
