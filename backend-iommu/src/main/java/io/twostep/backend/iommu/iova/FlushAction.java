package io.twostep.backend.iommu.iova;

/** Invalidate every cached translation of an address space. */
@FunctionalInterface
public interface FlushAction {
  /** Invalidate everything, and return when it is complete. */
  void flushAll();
}
