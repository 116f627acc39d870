package io.twostep.backend.swiotlb.pool;

/**
 * What a pool holds.
 *
 * @param slots slots of all areas that have memory
 * @param used slots that are allocated
 * @param highWater most slots ever allocated at once, summed over the areas
 * @param areas areas that have memory
 * @param grownAreas areas beyond the first ones, one for each stripe
 */
public record PoolStatistics(long slots, long used, long highWater, int areas, int grownAreas) {
  /** No pool at all. */
  public static final PoolStatistics NONE = new PoolStatistics(0, 0, 0, 0, 0);

  /** Return the sum of both. */
  public PoolStatistics plus(PoolStatistics other) {
    return new PoolStatistics(
        slots + other.slots, used + other.used, highWater + other.highWater, areas + other.areas, grownAreas + other.grownAreas);
  }
}
