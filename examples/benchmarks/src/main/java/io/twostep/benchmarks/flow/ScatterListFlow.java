package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.device.nvme.RequestMapping;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.InvalidationBatch;
import io.twostep.examples.nvme.ScatterListMapper;

/** Fill a scatter list with n pages, map it, and unmap it. */
final class ScatterListFlow implements Flow {
  private final MappedDevice device;
  private final int n;

  ScatterListFlow(FlowCase of) {
    device = MappedDevice.on(of.stack());
    n = of.n();
  }

  @Override
  public Worker worker(int index, int workers) {
    RequestMapping mapping = new ScatterListMapper().newMapping(device.mapper, n * 4096L);
    InvalidationBatch batch = device.mapper.newBatch();
    ScatteredPages pages = new ScatteredPages(n, index);
    EntryStore entries = new EntryStore(n);
    return new Worker() {
      @Override
      public long run(int operations) {
        long sum = 0;
        for (int i = 0; i < operations; i++) {
          entries.clear();
          mapping.map(pages, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE, entries);
          sum += entries.last();
          mapping.unmap(batch);
          batch.complete();
        }
        return sum;
      }

      @Override
      public void close() {
        mapping.close();
      }
    };
  }

  @Override
  public void close() {
    device.close();
  }
}
