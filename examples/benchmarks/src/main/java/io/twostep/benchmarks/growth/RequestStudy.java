package io.twostep.benchmarks.growth;

import io.twostep.benchmarks.flow.FlowCase;
import io.twostep.benchmarks.flow.Flows;
import java.util.List;
import java.util.function.Consumer;

/** Requests of 1, 2, 4 ... pages, by the flows that map requests. */
final class RequestStudy {
  private RequestStudy() {}

  static void run(Scale scale, Consumer<Measured> to) throws InterruptedException {
    for (Flows flow : List.of(Flows.TWO_STEP, Flows.TRANSFER, Flows.MAP_SG)) {
      for (String format : flow.formats()) {
        if (format.equals(FlowCase.AMD)) {
          continue;
        }
        for (int pages = 1; pages <= scale.mostPages(); pages *= 2) {
          FlowCase of = new FlowCase(flow.text(), format, pages, pages, 1);
          to.accept(Measured.ofPages(GrowthChart.REQUESTS, flow.text() + ", " + format, pages, scale.timer().measure(flow, of)));
        }
      }
    }
  }
}
