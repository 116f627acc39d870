package io.twostep.backend.iommu.iova;

/**
 * Count what an allocator has handed out and what it holds; exact while nobody allocates or frees.
 *
 * @param allocations ranges handed out since the beginning
 * @param frees ranges taken back since the beginning
 * @param liveRanges ranges that are handed out now
 * @param liveGranules granules of those, without their rounding
 * @param cachedRanges ranges in caches, which are neither live nor free in the tree
 * @param takenGranules granules that live and cached ranges occupy, with their rounding
 */
public record IovaStatistics(
    long allocations, long frees, long liveRanges, long liveGranules, long cachedRanges, long takenGranules) {}
