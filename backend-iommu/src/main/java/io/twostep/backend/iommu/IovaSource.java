package io.twostep.backend.iommu;

import io.twostep.backend.iommu.iova.FlushQueue;
import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.KeptRange;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.MapFlags;
import org.jspecify.annotations.Nullable;

/**
 * Where the requests of one device get their I/O addresses: below its own limits, the bus's and the tables' width, low ones first where the policy prefers them,
 * and from deferred flushes when nothing else is left.
 */
final class IovaSource {
  /** How often at most addresses that flushes return are looked for: other threads may take them first, so not for ever. */
  private static final int FLUSH_ATTEMPTS = 16;

  private final IovaAllocator allocator;
  private final @Nullable FlushQueue queue;
  private final Refusals refusals;
  private final String space;
  private final long granule;
  private final int granuleShift;
  private final long highest;
  private final long highestCoherent;
  private final long preferred;

  /**
   * Serve the device of {@code context} from the allocator of its address space.
   *
   * @param queue what waits for a flush; null where nothing does
   */
  IovaSource(SharedSpace shared, AttachContext context, @Nullable FlushQueue queue, Refusals refusals) {
    this.queue = queue;
    this.refusals = refusals;
    allocator = shared.iova;
    granule = shared.granule;
    preferred = shared.preferredIova;
    space = shared.name;
    granuleShift = Long.numberOfTrailingZeros(granule);
    highest = SharedSpace.lower(context.highestAddress(), shared.highestIova);
    long coherent = SharedSpace.lower(context.limits().highestCoherentAddress(), context.space().busLimit());
    highestCoherent = SharedSpace.lower(coherent, shared.highestIova);
  }

  /** Return the most bytes that lie between the first granule, which is never handed out, and the limit. */
  long mostBytes() {
    long bytes = (highest + 1 & -granule) - granule;
    return bytes < 0 ? Long.MAX_VALUE : bytes;
  }

  /**
   * Allocate whole granules that end at or below {@code wanted} and the device's limit.
   *
   * @throws DmaMappingException OUT_OF_BOUNDS where so many never fit, IOVA_EXHAUSTED where none are left
   */
  long allocate(long bytes, long alignmentGranules, long wanted, int flags) {
    return allocate(null, bytes, alignmentGranules, wanted, flags);
  }

  /** As {@link #allocate(long, long, long, int)}, for a handle that may keep addresses. */
  long allocate(@Nullable KeptRange kept, long bytes, long alignmentGranules, long wanted, int flags) {
    long limit = SharedSpace.lower((flags & MapFlags.COHERENT_MEMORY) == 0 ? highest : highestCoherent, wanted);
    long granules = bytes >>> granuleShift;
    long base =
        kept == null
            ? allocator.allocate(granules, alignmentGranules, preferred, limit)
            : allocator.allocate(kept, granules, alignmentGranules, preferred, limit);
    if (base == IovaAllocator.NO_IOVA && queue != null) {
      base = allocateFlushing(queue, granules, alignmentGranules, limit);
    }
    if (base == IovaAllocator.NO_IOVA) {
      throw refusals.noRoom(bytes, granule, limit, space);
    }
    return base;
  }

  /** Allocate again as long as addresses come back, by whichever thread's flush. */
  private long allocateFlushing(FlushQueue waiting, long granules, long alignmentGranules, long limit) {
    long base = IovaAllocator.NO_IOVA;
    long before = -1;
    for (int attempt = 0; attempt < FLUSH_ATTEMPTS && base == IovaAllocator.NO_IOVA && waiting.released() != before; attempt++) {
      before = waiting.released();
      waiting.drain();
      base = allocator.allocate(granules, alignmentGranules, preferred, limit);
    }
    return base;
  }
}
