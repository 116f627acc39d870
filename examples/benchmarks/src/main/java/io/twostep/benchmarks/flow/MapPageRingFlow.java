package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;

/** Of 512 mapped pages unmap the oldest and map a new one. */
final class MapPageRingFlow implements Flow {
  private static final int OUTSTANDING = 512;
  private static final int FRAMES = 1024;

  private final MappedDevice device;

  MapPageRingFlow(FlowCase of) {
    device = MappedDevice.on(of.stack());
  }

  @Override
  public Worker worker(int index, int workers) {
    return new Ring(new ScatteredPages(FRAMES, index).phys);
  }

  @Override
  public void close() {
    device.close();
  }

  private final class Ring implements Worker {
    private final DmaMapping[] mapped = new DmaMapping[OUTSTANDING];
    private final long[] phys;
    private int next;

    private Ring(long[] phys) {
      this.phys = phys;
      for (; next < OUTSTANDING; next++) {
        mapped[next] = device.mapper.newMapping();
        mapped[next].map(phys[next], 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
      }
    }

    @Override
    public long run(int operations) {
      long sum = 0;
      for (int i = 0; i < operations; i++) {
        DmaMapping oldest = mapped[next & OUTSTANDING - 1];
        oldest.unmap();
        oldest.map(phys[next++ & FRAMES - 1], 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
        sum += oldest.dmaAddress();
      }
      return sum;
    }

    @Override
    public void close() {
      for (DmaMapping mapping : mapped) {
        mapping.unmap();
        mapping.close();
      }
    }
  }
}
