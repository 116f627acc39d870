package io.twostep.backend.swiotlb;

import io.twostep.backend.swiotlb.pool.SlotPool;
import io.twostep.dma.spi.PhysicalMemory;

/** The slots of the devices of one address space and one reach, from the first device attached to the last one closed. */
final class SpacePool {
  /** An area is at most this part of what can be reached, so that it can be had also when memory is in use. */
  private static final int REACH_PARTS = 8;

  private static final long LEAST_BY_DEFAULT = 1 << 20;

  final Counters counters = new Counters();
  final SlotReach reach;
  final SlotPool pool;
  int devices;

  SpacePool(SwiotlbConfig config, SlotReach reach, PhysicalMemory memory) {
    this.reach = reach;
    int stripes = stripes(config);
    long area = Long.highestOneBit(config.size() / stripes);
    long reachable = Long.highestOneBit(Math.max(reach.largest(memory), 1) / REACH_PARTS);
    area = Math.clamp(area, SlotPool.LEAST_AREA, SlotPool.LARGEST_AREA);
    area = Math.max(SlotPool.LEAST_AREA, Math.min(area, reachable));
    long most = Math.clamp(config.maxSize() / area, stripes, SlotPool.MOST_AREAS);
    pool = new SlotPool(reach.source(memory), area, stripes, (int) most);
  }

  private static int stripes(SwiotlbConfig config) {
    int wanted = config.areas() != 0 ? config.areas() : Runtime.getRuntime().availableProcessors();
    int stripes = Integer.highestOneBit(2 * wanted - 1);
    long least = config.areas() != 0 ? SlotPool.LEAST_AREA : LEAST_BY_DEFAULT;
    return (int) Math.min(stripes, Long.highestOneBit(Math.max(1, config.size() / least)));
  }

  /** Gives the memory back and counts what was still taken. */
  void close() {
    counters.lostSlots.add(pool.statistics().used());
    pool.close();
  }
}
