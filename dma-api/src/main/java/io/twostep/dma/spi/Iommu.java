package io.twostep.dma.spi;

/** The IOMMU's side of one address space: either it walks tables that the backend owns, or the host maps on request. */
public sealed interface Iommu permits TableWalkingIommu, HostManagedIommu {
  /** Return the highest I/O address it translates, inclusive. */
  long highestIova();

  /** Call {@code listener} for every access it refuses; on the thread that runs the machine. */
  void onFault(FaultListener listener);

  /** Hears of refused accesses. */
  @FunctionalInterface
  interface FaultListener {
    /** Take a record; must not block. */
    void fault(FaultRecord fault);
  }
}
