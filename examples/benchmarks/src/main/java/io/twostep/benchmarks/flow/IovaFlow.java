package io.twostep.benchmarks.flow;

import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.IovaSpace;
import io.twostep.backend.iommu.iova.IovaStatistics;

/** Of as many live ranges as the case says, 100,000 where it is compared, free one and allocate one, in a space of 48 bits. */
final class IovaFlow implements Flow {
  static final int LIVE = 100_000;

  private static final long GRANULE = 4096;
  private static final long LAST = (1L << 48) - 1;
  private static final int STRIPES = 4;

  private final IovaAllocator allocator = new IovaAllocator(new IovaSpace("bench", GRANULE, 0, LAST), STRIPES);
  private final int live;
  private final int granules;
  private final boolean oldestFirst;

  private IovaFlow(FlowCase of, int granules, boolean oldestFirst) {
    live = of.n();
    this.granules = granules;
    this.oldestFirst = oldestFirst;
  }

  /** Sizes from 1 to 32 granules, freed at random. */
  static IovaFlow mixed(FlowCase of) {
    return new IovaFlow(of, 0, false);
  }

  /** 256 granules each, freed at random. */
  static IovaFlow large(FlowCase of) {
    return new IovaFlow(of, 256, false);
  }

  /** 256 granules each, the oldest freed first. */
  static IovaFlow largeOldestFirst(FlowCase of) {
    return new IovaFlow(of, 256, true);
  }

  @Override
  public Worker worker(int index, int workers) {
    return new Holder(live / workers, new Draw(index + 1));
  }

  IovaStatistics statistics() {
    return allocator.statistics();
  }

  @Override
  public void close() {}

  private final class Holder implements Worker {
    /** An address and its granules, which fit below the granule's bit. */
    private final long[] held;

    private final Draw draw;
    private int oldest;

    private Holder(int live, Draw draw) {
      this.draw = draw;
      held = new long[live];
      for (int i = 0; i < live; i++) {
        held[i] = allocate();
      }
    }

    private long allocate() {
      long size = granules == 0 ? 1 + draw.below(32) : granules;
      return allocator.allocate(size, LAST) | size;
    }

    private int next() {
      if (!oldestFirst) {
        return draw.below(held.length);
      }
      int at = oldest;
      oldest = at + 1 == held.length ? 0 : at + 1;
      return at;
    }

    @Override
    public long run(int operations) {
      long sum = 0;
      for (int i = 0; i < operations; i++) {
        int at = next();
        allocator.free(held[at] & -GRANULE, held[at] & GRANULE - 1);
        held[at] = allocate();
        sum += held[at];
      }
      return sum;
    }
  }
}
