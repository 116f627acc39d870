package io.twostep.benchmarks.flow;

import java.io.IOException;
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
    List<String> arguments = afterAll ? List.of(flow.name(), format, FlowMain.AFTER_ALL) : List.of(flow.name(), format);
    JavaProcess.run(List.of(), FlowMain.class, arguments, line -> results.accept(FlowResult.parse(line)));
  }
}
