package io.twostep.backend.iommu.iova;

/** Receive live ranges, for a report of leaks. */
@FunctionalInterface
public interface LiveRangeVisitor {
  /** Look at a live range of {@code granules} granules at {@code iova}. */
  void visit(long iova, long granules);
}
