package io.twostep.backend.iommu.iova;

/**
 * Count what an allocator has handed out and what it holds; exact while nobody allocates or frees.
 *
 * <p>Granules are counted with the rounding of the ranges they belong to.
 *
 * @param allocations ranges handed out since the beginning
 * @param liveRanges ranges that are handed out now
 * @param liveGranules granules that those occupy
 * @param cachedRanges ranges in caches, which are neither live nor free in the tree
 * @param cachedGranules granules that those occupy
 */
public record IovaStatistics(
    long allocations, long liveRanges, long liveGranules, long cachedRanges, long cachedGranules) {
  /** Compute how many ranges came back since the beginning. */
  public long frees() {
    return allocations - liveRanges;
  }
}
