package io.twostep.benchmarks.flow;

import io.twostep.backend.iommu.iova.IovaStatistics;

/** Ranges of 1 to 32 granules, freed at random and allocated anew, on one allocator for as long as it is asked to. */
public final class AgeingFlow {
  private final IovaFlow flow;
  private final Flow.Worker worker;

  /** Make an allocator with {@code live} ranges. */
  public AgeingFlow(int live) {
    flow = IovaFlow.mixed(new FlowCase("age", FlowCase.NO_FORMAT, live, 1, 1));
    worker = flow.worker(0, 1);
  }

  /** Free and allocate so often, and return something that depends on it. */
  public long run(int operations) {
    return worker.run(operations);
  }

  /** Return what the allocator holds. */
  public IovaStatistics statistics() {
    return flow.statistics();
  }
}
