package io.twostep.benchmarks.growth;

import io.twostep.benchmarks.flow.JavaProcess;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;

/** Runs a study in a JVM of its own. */
public final class GrowthProcess {
  /** Enough for ten million live ranges or a million live handles. */
  private static final String HEAP = "-Xmx4g";

  private GrowthProcess() {}

  /**
   * Start a JVM like this one with a heap of 4 GiB at most, and hand over each point as it comes.
   *
   * @throws IOException if the JVM cannot be started or ends with an error
   */
  public static void measure(Growth growth, Consumer<Measured> points) throws IOException, InterruptedException {
    JavaProcess.run(List.of(HEAP), GrowthMain.class, List.of(growth.name()), line -> points.accept(Measured.parse(line)));
  }
}
