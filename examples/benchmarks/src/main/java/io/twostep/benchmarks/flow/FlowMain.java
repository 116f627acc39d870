package io.twostep.benchmarks.flow;

import java.util.ArrayList;
import java.util.List;

/** Measures the cases of one flow in this JVM, and prints a line for each; started by {@link FlowProcess}. */
final class FlowMain {
  /** Before measuring, run every flow there is, and every terminal below every layer, so that no call site of the mapping layer knows one class alone. */
  static final String AFTER_ALL = "after-all";

  private static final FlowTimer EXERCISE = new FlowTimer(1, 20_000_000L, 200_000_000L);

  private FlowMain() {}

  /** Take the flow's constant, the format, and perhaps {@link #AFTER_ALL}. */
  public static void main(String[] arguments) throws InterruptedException {
    Flows flow = Flows.valueOf(arguments[0]);
    String format = arguments[1];
    if (arguments.length > 2 && arguments[2].equals(AFTER_ALL)) {
      exerciseAll();
    }
    for (FlowCase of : flow.cases(format)) {
      System.out.println(FlowTimer.FULL.measure(flow, of).line());
    }
  }

  private static void exerciseAll() throws InterruptedException {
    for (Flows flow : Flows.values()) {
      for (String format : flow.formats()) {
        List<FlowCase> cases = new ArrayList<>(flow.cases(format));
        EXERCISE.measure(flow, cases.get(cases.size() / 2));
      }
    }
    LayeredFlow.exercise(EXERCISE);
  }
}
