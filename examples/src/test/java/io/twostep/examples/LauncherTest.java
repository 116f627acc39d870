package io.twostep.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the script {@code twostep} starts, in a checkout that is built and with a JDK that only says how it was called. */
class LauncherTest {
  private static final String JAVA =
      """
      #!/bin/sh
      echo "LC_ALL=${LC_ALL:-}"
      for word; do echo "$word"; done
      """;

  @TempDir Path temporary;
  private Path home;
  private Path library;
  private int status;

  @BeforeEach
  void makeACheckout() throws IOException {
    home = Files.createDirectory(temporary.toRealPath().resolve("check out"));
    runnable(home.resolve("twostep"), Files.readString(Path.of("..", "twostep")));
    Path target = Files.createDirectories(home.resolve("examples/benchmarks/target"));
    Files.writeString(target.resolve("launcher.stamp"), home.toString());
    Path jar = Files.createFile(temporary.resolve("a.jar"));
    library = temporary.resolve("b.jar");
    Files.writeString(target.resolve("launcher.classpath"), jar + ":" + Files.createFile(library));
    Path jdk = Files.createDirectories(temporary.resolve("jdk/bin"));
    runnable(jdk.resolve("java"), JAVA);
    runnable(jdk.resolve("javac"), JAVA);
    Files.writeString(temporary.resolve("jdk/release"), "JAVA_VERSION=\"25\"\n");
  }

  private static void runnable(Path file, String text) throws IOException {
    Files.setPosixFilePermissions(Files.writeString(file, text), PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private List<String> launched(String variable, String locale, String... arguments) throws Exception {
    ProcessBuilder launcher = new ProcessBuilder(home.resolve("twostep").toString()).redirectErrorStream(true);
    launcher.command().addAll(List.of(arguments));
    launcher.environment().keySet().removeIf(name -> name.startsWith("LC_") || name.equals("LANG") || name.startsWith("TWOSTEP_"));
    launcher.environment().compute("PATH", (name, path) -> temporary.resolve("bin") + ":" + path);
    launcher.environment().put("JAVA_HOME", temporary.resolve("jdk").toString());
    launcher.environment().put(variable, locale);
    Process process = launcher.start();
    List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    assertThat(process.waitFor()).as("%s", lines).isEqualTo(status);
    return lines;
  }

  private void maven(String does) throws IOException {
    runnable(Files.createDirectory(temporary.resolve("bin")).resolve("mvn"), "#!/bin/sh\n" + does + "\n");
  }

  /** The build names jars of a Maven repository, which people clear. */
  @Test
  void isBuiltAgainIfAJarIsGone() throws Exception {
    Files.delete(library);
    maven("touch '" + library + "'");
    assertThat(launched("LANG", "C.UTF-8", "nvme")).startsWith("twostep: building (first use, or sources changed); this takes a minute or two").endsWith("nvme");
    assertThat(launched("LANG", "C.UTF-8", "nvme")).startsWith("LC_ALL=");
  }

  /** As with another user's repository. */
  @Test
  void namesTheJarThatNoBuildBrings() throws Exception {
    Files.delete(library);
    maven("true");
    status = 1;
    assertThat(launched("LANG", "C.UTF-8", "nvme")).endsWith("twostep: cannot read " + library + ", which the build needs; build as this user, in a checkout of its own");
  }

  @Test
  void argumentsArriveAsTheyAre() throws Exception {
    List<String> lines = launched("LANG", "C.UTF-8", "nvme", "a file", "", "*", "$HOME");
    assertThat(lines).endsWith("io.twostep.examples.Twostep", "nvme", "a file", "", "*", "$HOME").contains("-Dtwostep.home=" + home);
  }

  @Test
  void aLocaleWithAnEncodingStays() throws Exception {
    assertThat(launched("LANG", "C.UTF-8")).startsWith("LC_ALL=");
  }

  @ParameterizedTest
  @ValueSource(strings = {"C", "POSIX", ""})
  void aLocaleWithoutEncodingIsReplaced(String locale) throws Exception {
    assertThat(launched("LC_ALL", locale)).startsWith("LC_ALL=C.UTF-8");
  }

  /** Such as a remote shell brings along: Java takes it for C, and refused names beyond ASCII. */
  @ParameterizedTest
  @ValueSource(strings = {"LC_ALL", "LC_CTYPE", "LANG"})
  void aLocaleThatIsNotInstalledIsReplaced(String variable) throws Exception {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/locale")), "nothing tells what is installed");
    assertThat(launched(variable, "xx_XX.UTF-8")).startsWith("LC_ALL=C.UTF-8");
  }
}
