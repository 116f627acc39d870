package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;

/** Flows with as much alive as their case says. */
public final class LiveFlows {
  private LiveFlows() {}

  /** Link or unlink a random page of a window of which n pages are linked, about. */
  public static Flow window(FlowCase of) {
    return new ToggleFlow(of, 2L * of.n());
  }

  /** Of n mappings of a page each unmap one at random, and map it anew. */
  public static Flow mappings(FlowCase of) {
    return new Mappings(of);
  }

  private static final class Mappings implements Flow {
    private static final int FRAMES = 1024;

    private final MappedDevice device;
    private final int live;

    private Mappings(FlowCase of) {
      device = MappedDevice.on(of.stack());
      live = of.n();
    }

    @Override
    public Worker worker(int index, int workers) {
      DmaMapping[] mappings = new DmaMapping[live / workers];
      long[] phys = new ScatteredPages(FRAMES, index).phys;
      for (int i = 0; i < mappings.length; i++) {
        mappings[i] = device.mapper.newMapping().map(phys[i & FRAMES - 1], 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
      }
      return new Remapper(mappings, phys, new Draw(index + 1));
    }

    @Override
    public void close() {
      device.close();
    }
  }

  private static final class Remapper implements Flow.Worker {
    private final DmaMapping[] mappings;
    private final long[] phys;
    private final Draw draw;

    private Remapper(DmaMapping[] mappings, long[] phys, Draw draw) {
      this.mappings = mappings;
      this.phys = phys;
      this.draw = draw;
    }

    @Override
    public long run(int operations) {
      long sum = 0;
      for (int i = 0; i < operations; i++) {
        DmaMapping mapping = mappings[draw.below(mappings.length)];
        mapping.unmap();
        sum += mapping.map(phys[i & phys.length - 1], 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE).dmaAddress();
      }
      return sum;
    }

    @Override
    public void close() {
      for (DmaMapping mapping : mappings) {
        mapping.unmap();
        mapping.close();
      }
    }
  }
}
