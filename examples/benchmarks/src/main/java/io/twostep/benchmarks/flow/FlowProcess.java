package io.twostep.benchmarks.flow;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Measures one flow in a JVM of its own, so that it is alone with its profile. */
public final class FlowProcess {
  private FlowProcess() {}

  /**
   * Start a JVM like this one, and hand over each result as it comes.
   *
   * @param afterAll whether the JVM runs every flow before it measures this one
   * @throws IOException if the JVM cannot be started or ends with an error
   */
  public static void measure(Flows flow, String format, boolean afterAll, Consumer<FlowResult> results)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(FlowMain.class.getName());
    command.add(flow.name());
    command.add(format);
    if (afterAll) {
      command.add(FlowMain.AFTER_ALL);
    }
    Process process = new ProcessBuilder(command).redirectError(Redirect.INHERIT).start();
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        results.accept(FlowResult.parse(line));
      }
      int status = process.waitFor();
      if (status != 0) {
        throw new IOException("the JVM that measured " + flow.text() + " ended with status " + status);
      }
    } finally {
      process.destroy();
    }
  }
}
