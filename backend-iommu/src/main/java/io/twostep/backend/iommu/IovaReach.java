package io.twostep.backend.iommu;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.MapFlags;

/**
 * How high the I/O addresses of one device may be: its own limits, the bus, the width of the tables, and the policy that prefers low ones.
 */
final class IovaReach {
  private final long highest;
  private final long highestCoherent;
  private final long preferred;

  IovaReach(AttachContext context, long highestIova, long preferred) {
    highest = TableSpace.lower(context.highestAddress(), highestIova);
    long coherent = TableSpace.lower(context.limits().highestCoherentAddress(), context.space().busLimit());
    highestCoherent = TableSpace.lower(coherent, highestIova);
    this.preferred = preferred;
  }

  /** Returns the limit of one request that must not exceed {@code wanted}. */
  long highest(long wanted, int flags) {
    long limit = (flags & MapFlags.COHERENT_MEMORY) == 0 ? highest : highestCoherent;
    return TableSpace.lower(limit, wanted);
  }

  /** Returns the limit to be tried first. */
  long preferred() {
    return preferred;
  }

  /** Returns the most bytes that lie between the first granule, which is never handed out, and the limit. */
  long length(long granule) {
    long bytes = (highest + 1 & -granule) - granule;
    return bytes < 0 ? Long.MAX_VALUE : bytes;
  }
}
