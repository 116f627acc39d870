package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;

/** Map and unmap one page, at another random frame each time. */
final class MapPageFlow implements Flow {
  private static final int FRAMES = 1024;

  private final MappedDevice device;

  MapPageFlow(FlowCase of) {
    device = MappedDevice.on(of.stack());
  }

  @Override
  public Worker worker(int index, int workers) {
    DmaMapping mapping = device.mapper.newMapping();
    long[] phys = new ScatteredPages(FRAMES, index).phys;
    return new Worker() {
      private int next;

      @Override
      public long run(int operations) {
        long sum = 0;
        for (int i = 0; i < operations; i++) {
          mapping.map(phys[next++ & FRAMES - 1], 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
          sum += mapping.dmaAddress();
          mapping.unmap();
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
