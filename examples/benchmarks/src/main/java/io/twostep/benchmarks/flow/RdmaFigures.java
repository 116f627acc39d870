package io.twostep.benchmarks.flow;

import io.twostep.machine.model.ModelMachineConfig;

/**
 * The figures of on-demand memory and registrations, each against what it is to beat, measured in turns.
 *
 * @param pages pages of the region that is faulted in
 * @param faults 2 MiB of 4 KiB pages taken from the device and faulted in again: as a region, and with a mapping for each page
 * @param regionInvalidations invalidations of the first, for all of it
 * @param eachInvalidations invalidations of the second
 * @param invalidationNanos what one costs by the machine model's costs; neither side was made to wait for any
 * @param metadataBytesPerPage heap bytes that the region keeps for each page beside the I/O page table; translation entries of the adapter are in the adapter, and not counted
 * @param registration 8 GiB in extents registered and unregistered: alone, and with a page of a peer in it
 * @param addressRanges ranges of I/O addresses that the first takes
 * @param addressRangesWithPeer ranges that the second takes
 */
public record RdmaFigures(
    int pages,
    Pair faults,
    double regionInvalidations,
    double eachInvalidations,
    double invalidationNanos,
    double metadataBytesPerPage,
    Pair registration,
    long addressRanges,
    long addressRangesWithPeer) {
  private static final int COUNTED = 16;

  /** Measure everything; takes some times as long as both sides of both pairs warm up. */
  public static RdmaFigures measure(Turns turns) {
    FlowCase ofPages = Flows.ODP_FAULT.cases(FlowCase.VTD).getFirst();
    try (FaultFlow region = FaultFlow.ofRegion(ofPages);
        FaultFlow each = FaultFlow.pageByPage(ofPages);
        Flow.Worker regionWorker = region.worker(0, 1);
        Flow.Worker eachWorker = each.worker(0, 1)) {
      Pair faults = turns.measure(regionWorker, eachWorker);
      FlowCase ofExtents = Flows.REGISTER_8G.cases(FlowCase.NO_FORMAT).getFirst();
      try (Flow alone = RegisterFlow.ofMemory(ofExtents);
          Flow withPeer = RegisterFlow.withPeerPage(ofExtents);
          Flow.Worker aloneWorker = alone.worker(0, 1);
          Flow.Worker withPeerWorker = withPeer.worker(0, 1)) {
        return new RdmaFigures(
            ofPages.pages(),
            faults,
            invalidations(region, regionWorker),
            invalidations(each, eachWorker),
            ModelMachineConfig.defaults().invalidationNanos(),
            (double) FaultFlow.metadataLength(regionWorker) / ofPages.pages(),
            turns.measure(aloneWorker, withPeerWorker),
            RegisterFlow.addressRanges(false),
            RegisterFlow.addressRanges(true));
      }
    }
  }

  private static double invalidations(FaultFlow flow, Flow.Worker worker) {
    long before = flow.invalidations();
    worker.run(COUNTED);
    return (double) (flow.invalidations() - before) / COUNTED;
  }

  /** Return how many times page by page costs what the region does, with the invalidations that each makes. */
  public Pair.Spread faultRatio() {
    return faults.ratio(regionInvalidations * invalidationNanos, eachInvalidations * invalidationNanos);
  }

  /** Return how many times a registration with a peer's page costs one without. */
  public Pair.Spread registrationRatio() {
    return registration.ratio(0, 0);
  }
}
