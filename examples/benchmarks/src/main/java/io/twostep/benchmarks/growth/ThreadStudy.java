package io.twostep.benchmarks.growth;

import io.twostep.benchmarks.flow.FlowCase;
import io.twostep.benchmarks.flow.Flows;
import java.util.function.Consumer;

/** 1, 2, 4 ... threads on one device; beyond the computer's processors they take turns. */
final class ThreadStudy {
  private static final int PAGES = 32;
  private static final int BYTES = 4096;
  private static final int LIVE = 100_000;

  private ThreadStudy() {}

  static void run(Scale scale, Consumer<Measured> to) throws InterruptedException {
    for (int threads = 1; threads <= scale.mostThreads(); threads *= 2) {
      measure(Flows.MAP_PAGE, new FlowCase("map_page", FlowCase.VTD, 1, 1, threads), "map and unmap a page", scale, to);
      measure(Flows.TWO_STEP, new FlowCase("two_step", FlowCase.VTD, PAGES, PAGES, threads), "32 pages in two steps", scale, to);
      measure(Flows.TRANSFER, new FlowCase("transfer", FlowCase.VTD, PAGES, PAGES, threads), "32 pages, transfer", scale, to);
      measure(Flows.IOVA_MIX, new FlowCase("iova_mix_1_32", FlowCase.NO_FORMAT, LIVE, 1, threads), "free and allocate", scale, to);
      measure(Flows.SWIOTLB_TO_DEVICE, new FlowCase("swiotlb_to_device", FlowCase.NO_FORMAT, BYTES, 1, threads), "bounce 4 KiB", scale, to);
    }
  }

  private static void measure(Flows flow, FlowCase of, String line, Scale scale, Consumer<Measured> to) throws InterruptedException {
    to.accept(Measured.ofOperations(GrowthChart.THREADS, line, of.threads(), scale.timer().measure(flow, of)));
  }
}
