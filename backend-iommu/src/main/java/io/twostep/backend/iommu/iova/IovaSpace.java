package io.twostep.backend.iommu.iova;

/**
 * Describe the addresses an allocator may hand out.
 *
 * @param name names the address space in errors
 * @param granuleBytes the smallest page: a power of two from 64 up
 * @param firstIova the first address of the aperture; a granule it cuts is left out, and so is IOVA 0
 * @param lastIova the last address of the aperture, included; a granule it cuts is left out
 */
public record IovaSpace(String name, long granuleBytes, long firstIova, long lastIova) {
  private static final long LEAST_GRANULE = 64;

  /**
   * Check the description.
   *
   * @throws IllegalArgumentException when the granule is no power of two from 64 to 2^62, or the aperture holds no
   *     whole granule beside IOVA 0
   */
  public IovaSpace {
    if (Long.bitCount(granuleBytes) != 1 || granuleBytes < LEAST_GRANULE) {
      throw new IllegalArgumentException(
          name + ": granule 0x" + Long.toHexString(granuleBytes) + " must be a power of two from 64 up");
    }
    if (Long.compareUnsigned(firstIova, lastIova) > 0
        || firstGranule(firstIova, granuleBytes) >= endGranule(lastIova, granuleBytes)) {
      throw new IllegalArgumentException(
          "%s: aperture 0x%x-0x%x must hold a whole granule of 0x%x beside IOVA 0"
              .formatted(name, firstIova, lastIova, granuleBytes));
    }
  }

  int granuleShift() {
    return Long.numberOfTrailingZeros(granuleBytes);
  }

  long firstGranule() {
    return firstGranule(firstIova, granuleBytes);
  }

  long endGranule() {
    return endGranule(lastIova, granuleBytes);
  }

  private static long firstGranule(long iova, long granuleBytes) {
    long granule = Long.divideUnsigned(iova, granuleBytes);
    return Math.max(1, (iova & (granuleBytes - 1)) == 0 ? granule : granule + 1);
  }

  /** Compute the granule behind the last one that ends at or below an address. */
  static long endGranule(long lastIova, long granuleBytes) {
    long granule = lastIova >>> Long.numberOfTrailingZeros(granuleBytes);
    return (~lastIova & (granuleBytes - 1)) == 0 ? granule + 1 : granule;
  }
}
