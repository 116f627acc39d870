package io.twostep.examples.nvme;

import io.twostep.device.nvme.BioVector;
import io.twostep.device.nvme.RequestMapping;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.PhysicalMemory;

/**
 * Measures what a strategy holds for each page of a mapped request.
 *
 * <p>Two new request slots map pages one by one, the second twice as many as the first; the heap bytes the second allocates beyond the first, divided by the
 * pages beyond, are what one more page costs. Fixed parts drop out; the least of three rounds counts.
 */
final class MetadataPerPage {
  private static final int PAGE = 4096;
  private static final int ROUNDS = 3;

  private MetadataPerPage() {}

  static double measure(DmaMapper mapper, PhysicalMemory memory, Strategy strategy) {
    // One page from each granule, because two links never share one; large granules allow fewer.
    long granule = Math.max(PAGE, mapper.limits().granule());
    int pages = granule == PAGE ? 256 : 16;
    MemoryPlacement placement = granule == PAGE ? MemoryPlacement.SCATTERED : MemoryPlacement.CONTIGUOUS;
    try (MemoryBlock block = memory.allocate(2L * pages * granule, placement)) {
      // The first round loads classes and grows what belongs to the device rather than to a request.
      cost(mapper, strategy, block, granule, 2 * pages);
      long least = Long.MAX_VALUE;
      for (int i = 0; i < ROUNDS; i++) {
        long few = cost(mapper, strategy, block, granule, pages);
        long many = cost(mapper, strategy, block, granule, 2 * pages);
        least = Math.min(least, Math.max(0, many - few));
      }
      return least / (double) pages;
    }
  }

  private static long cost(DmaMapper mapper, Strategy strategy, MemoryBlock block, long granule, int pages) {
    BioVector source = new BioVector();
    for (int i = 0; i < pages; i++) {
      source.add(block.phys(i * granule), PAGE);
    }
    InvalidationBatch batch = mapper.newBatch();
    long before = HeapBytes.ofThread();
    RequestMapping mapping = strategy.requestMapper().newMapping(mapper, (long) pages * PAGE);
    mapping.map(source, DmaDirection.FROM_DEVICE, 0, (address, length, kind) -> true);
    long after = HeapBytes.ofThread();
    mapping.unmap(batch);
    batch.complete();
    mapping.close();
    return after - before;
  }
}
