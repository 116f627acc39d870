package io.twostep.benchmarks.growth;

import io.twostep.benchmarks.flow.Flow;
import io.twostep.benchmarks.flow.FlowCase;
import io.twostep.benchmarks.flow.Flows;
import io.twostep.benchmarks.flow.LiveFlows;
import java.util.function.Consumer;
import java.util.function.Function;

/** 100, 1,000 ... live ranges, mappings and pages, of which one goes and one comes. */
final class LiveStudy {
  private static final int LEAST = 100;

  /** A mapping is a handle of some hundred bytes; ten times as many would not fit the heap. */
  private static final int MOST_HANDLES = 1_000_000;

  private LiveStudy() {}

  static void run(Scale scale, Consumer<Measured> to) throws InterruptedException {
    for (long live = LEAST; live <= scale.mostLive(); live *= 10) {
      int n = (int) live;
      ranges(Flows.IOVA_MIX, "ranges, 1 to 32 granules", n, scale, to);
      ranges(Flows.IOVA_256P, "ranges, 256 granules", n, scale, to);
      alive("pages of a window", n, LiveFlows::window, scale, to);
      if (n <= MOST_HANDLES) {
        alive("mappings", n, LiveFlows::mappings, scale, to);
      }
    }
  }

  private static void alive(String line, int live, Function<FlowCase, Flow> opening, Scale scale, Consumer<Measured> to) throws InterruptedException {
    FlowCase of = new FlowCase(line, FlowCase.VTD, live, 1, 1);
    try (Flow flow = opening.apply(of)) {
      to.accept(Measured.ofOperations(GrowthChart.LIVE, line, live, scale.timer().measure(of, flow)));
    }
  }

  private static void ranges(Flows flow, String line, int live, Scale scale, Consumer<Measured> to) throws InterruptedException {
    FlowCase of = new FlowCase(flow.text(), FlowCase.NO_FORMAT, live, 1, 1);
    to.accept(Measured.ofOperations(GrowthChart.LIVE, line, live, scale.timer().measure(flow, of)));
  }
}
