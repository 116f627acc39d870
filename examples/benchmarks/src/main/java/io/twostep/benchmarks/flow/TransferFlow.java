package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.spi.LayerBackend;

/** Map n pages through a transfer into a sink that stores its entries, and unmap. */
final class TransferFlow implements Flow {
  private final MappedDevice device;
  private final int n;

  TransferFlow(FlowCase of, LayerBackend... layers) {
    device = MappedDevice.on(of.stack(), layers);
    n = of.n();
  }

  @Override
  public Worker worker(int index, int workers) {
    DmaTransfer transfer = device.mapper.newTransfer();
    ScatteredPages pages = new ScatteredPages(n, index);
    EntryStore entries = new EntryStore(n);
    return new Worker() {
      @Override
      public long run(int operations) {
        long sum = 0;
        for (int i = 0; i < operations; i++) {
          entries.clear();
          transfer.map(pages, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE, entries);
          sum += entries.last();
          transfer.unmap();
        }
        return sum;
      }

      @Override
      public void close() {
        transfer.close();
      }
    };
  }

  @Override
  public void close() {
    device.close();
  }
}
