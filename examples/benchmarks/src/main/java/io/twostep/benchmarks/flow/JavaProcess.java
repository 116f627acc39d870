package io.twostep.benchmarks.flow;

import io.twostep.examples.temporary.AtEnd;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Runs a main class in a JVM like this one. */
public final class JavaProcess {
  private JavaProcess() {}

  /**
   * Run to the end, and hand over each line that is printed.
   *
   * @throws IOException if the JVM cannot be started or ends with an error
   */
  public static void run(List<String> options, Class<?> main, List<String> arguments, Consumer<String> lines) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(options);
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(main.getName());
    command.addAll(arguments);
    Process process = new ProcessBuilder(command).redirectError(Redirect.INHERIT).start();
    try (AtEnd _ = AtEnd.run("end of what is measured", process::destroy);
        BufferedReader printed = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = printed.readLine(); line != null; line = printed.readLine()) {
        lines.accept(line);
      }
      int status = process.waitFor();
      if (status != 0) {
        throw new IOException("the JVM that ran " + String.join(" ", arguments) + " ended with status " + status);
      }
    } finally {
      process.destroy();
    }
  }
}
