package io.twostep.benchmarks.flow;

import io.twostep.backend.iommu.iova.IovaAllocator;
import io.twostep.backend.iommu.iova.IovaSpace;

/**
 * In a fresh space allocate 100,000 ranges of one granule, then free them in random order; one operation is one allocation and its free.
 *
 * <p>Making the space counts too, spread over the operations; so do its tables, which is why this flow alone allocates on the heap.
 */
final class IovaColdFlow implements Flow {
  private static final long GRANULE = 4096;
  private static final long LAST = (1L << 48) - 1;
  private static final int STRIPES = 4;

  IovaColdFlow(FlowCase of) {}

  @Override
  public Worker worker(int index, int workers) {
    return new Filler(new Draw(index + 1));
  }

  @Override
  public int batch() {
    return IovaFlow.LIVE;
  }

  @Override
  public void close() {}

  private static final class Filler implements Worker {
    private final long[] iova = new long[IovaFlow.LIVE];
    private final int[] order = new int[IovaFlow.LIVE];

    private Filler(Draw draw) {
      for (int i = 0; i < order.length; i++) {
        int at = draw.below(i + 1);
        order[i] = order[at];
        order[at] = i;
      }
    }

    @Override
    public long run(int operations) {
      long sum = 0;
      for (int done = 0; done < operations; done += IovaFlow.LIVE) {
        sum += round();
      }
      return sum;
    }

    private long round() {
      IovaAllocator allocator = new IovaAllocator(new IovaSpace("bench", GRANULE, 0, LAST), STRIPES);
      long sum = 0;
      for (int i = 0; i < iova.length; i++) {
        iova[i] = allocator.allocate(1, LAST);
        sum += iova[i];
      }
      for (int i : order) {
        allocator.free(iova[i], 1);
      }
      return sum;
    }
  }
}
