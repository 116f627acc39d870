package io.twostep.backend.iommu;

/** What a handle remembers on a host-managed IOMMU; guards itself, because several threads link into a window. */
final class HostState {
  final HostSpace space;
  final HostRuns runs = new HostRuns();

  /** First address of the allocation. */
  long base;

  /** Number of the latest publish. */
  long publishes;

  HostState(HostSpace space) {
    this.space = space;
  }
}
