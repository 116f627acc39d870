package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;

/** Map and unmap one range of 2 MiB as one leaf. */
final class MapHugeFlow implements Flow {
  private static final int RANGES = 1024;

  private final MappedDevice device;

  MapHugeFlow(FlowCase of) {
    device = MappedDevice.on(of.stack());
  }

  @Override
  public Worker worker(int index, int workers) {
    DmaMapping mapping = device.mapper.newMapping();
    long[] phys = HugePages.draw(RANGES, index);
    return new Worker() {
      private int next;

      @Override
      public long run(int operations) {
        long sum = 0;
        for (int i = 0; i < operations; i++) {
          mapping.map(phys[next++ & RANGES - 1], HugePages.LENGTH, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
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
