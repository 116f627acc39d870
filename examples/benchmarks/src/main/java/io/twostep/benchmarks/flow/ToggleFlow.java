package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.SparseWindow;
import java.util.BitSet;

/** In a window of 1 GiB, half of it linked, take a random page: link and sync it if it is absent, unlink and invalidate it if it is there. */
final class ToggleFlow implements Flow {
  private static final long WINDOW = 1L << 30;
  private static final int PAGES = (int) (WINDOW / 4096);
  private static final int FRAMES = 1024;

  private final MappedDevice device;
  private final SparseWindow window;

  ToggleFlow(FlowCase of) {
    device = MappedDevice.on(of.stack());
    window = device.mapper.newWindow(WINDOW, 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
  }

  @Override
  public Worker worker(int index, int workers) {
    return new Toggler(index * (PAGES / workers), PAGES / workers, new ScatteredPages(FRAMES, index).phys);
  }

  @Override
  public void close() {
    window.close();
    device.close();
  }

  /** Owns its part of the window. */
  private final class Toggler implements Worker {
    private final int first;
    private final int pages;
    private final long[] phys;
    private final BitSet linked;
    private final Draw draw;

    private Toggler(int first, int pages, long[] phys) {
      this.first = first;
      this.pages = pages;
      this.phys = phys;
      this.linked = new BitSet(pages);
      this.draw = new Draw(first + 1);
      for (int page = 0; page < pages; page += 2) {
        toggle(page);
      }
    }

    private long toggle(int page) {
      long offset = (first + page) * 4096L;
      if (linked.get(page)) {
        linked.clear(page);
        window.unlink(offset, 4096);
        return offset;
      }
      linked.set(page);
      return window.link(offset, phys[page & FRAMES - 1], 4096, DmaDirection.BIDIRECTIONAL);
    }

    @Override
    public long run(int operations) {
      long sum = 0;
      for (int i = 0; i < operations; i++) {
        sum += toggle(draw.below(pages));
      }
      return sum;
    }
  }
}
