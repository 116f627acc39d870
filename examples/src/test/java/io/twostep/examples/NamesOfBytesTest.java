package io.twostep.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Names of files are bytes, and Java opens those that its encoding has; a shell gives the others here, and takes them away. */
class NamesOfBytesTest {
  @TempDir Path work;

  @BeforeEach
  void onlyWhereNamesAreBytes() {
    assumeTrue(new File("/bin/sh").canExecute() && Files.isDirectory(Path.of("/proc/self")), "names are no bytes here");
  }

  /** Run a shell's commands in the folder; {@code "$@"} in it is the command line, to be given a command. */
  private String output(String script) throws Exception {
    List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", script, "sh"));
    command.addAll(ChildProcess.twostep(List.of()).command());
    ProcessBuilder shell = new ProcessBuilder(command).directory(work.toFile());
    shell.environment().put("LC_ALL", "C.UTF-8");
    Path errors = work.resolve("errors");
    Process process = shell.redirectError(errors.toFile()).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output + Files.readString(errors);
  }

  @Test
  void aFileOfSuchANameIsReachedByALink() throws Exception {
    String made = "name=$(printf 'caf\\351'); echo hello > \"$name\"; ln -s \"$name\" link; ";
    String gone = "; status=$?; rm \"$name\" link; exit $status";
    assertThat(output(made + "\"$@\" nvme \"$name\"" + gone)).contains("Java cannot open names that are not UTF-8: rename it, or give a link to it");
    assertThat(output(made + "\"$@\" capture --file link" + gone)).as("with or without the right to see where").contains("file link: ").doesNotContain("UTF-8");
  }

  @Test
  void nothingIsMissingThatIsOnlyNotFoundFromHere() throws Exception {
    String there = "name=$(printf 'd\\351'); mkdir \"$name\"; cd \"$name\"; echo hello > file; ";
    String gone = "; status=$?; cd ..; rm -r \"$name\"; exit $status";
    assertThat(output(there + "\"$@\" nvme file" + gone)).contains("twostep: file names nothing from here: this folder is gone, or its name is not UTF-8");
    assertThat(output(there + "\"$@\" compare --html report.html" + gone)).contains("twostep: report.html names nothing from here");
  }
}
