package io.twostep.benchmarks.flow;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;

/**
 * What the counting part of the checker adds to a request of scattered pages: mapped and unmapped without it and with it, in turns.
 *
 * @param pages pages of a request
 * @param costs of a request without the checker, and with it
 * @param counted ranges that the checker counted, of all its requests
 */
public record CheckerCost(int pages, Pair costs, long counted) {
  /** What a full measurement uses. */
  public static final Turns FULL = new Turns(25, 30_000_000, 1_000_000_000);

  /**
   * Measure, on the calling thread.
   *
   * @param pages pages of a request
   */
  public static CheckerCost measure(int pages, Turns turns) {
    FlowCase of = new FlowCase("checker", FlowCase.VTD, pages, pages, 1);
    DebugBackend checker = new DebugBackend(DebugConfig.defaults().with(false, true));
    try (Flow without = new TransferFlow(of);
        Flow with = new TransferFlow(of, checker);
        Flow.Worker bare = without.worker(0, 1);
        Flow.Worker counting = with.worker(0, 1)) {
      Pair costs = turns.measure(bare, counting);
      return new CheckerCost(pages, costs, checker.statistics().measures().links());
    } finally {
      checker.close();
    }
  }

  /** Return what a request takes longer with the checker, in percent; negative where the side with it was faster. */
  public Pair.Spread percent() {
    Pair.Spread ratio = costs.ratio(0, 0);
    return new Pair.Spread(percent(ratio.median()), percent(ratio.lowest()), percent(ratio.highest()));
  }

  private static double percent(double ratio) {
    return (ratio - 1) * 100;
  }
}
