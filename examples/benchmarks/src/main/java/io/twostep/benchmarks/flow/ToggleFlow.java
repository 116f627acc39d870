package io.twostep.benchmarks.flow;

import io.twostep.benchmarks.machine.MappedDevice;
import io.twostep.benchmarks.machine.ScatteredPages;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.SparseWindow;

/** In a window of 1 GiB, half of it linked, take a random page: link and sync it if it is absent, unlink and invalidate it if it is there. */
final class ToggleFlow implements Flow {
  private static final long PAGES = (1L << 30) / 4096;

  /** Bytes of tables for each page of a window, upper levels and what else is mapped included. */
  private static final long TABLE_BYTES = 9;

  private static final long LEAST_TABLES = 64L << 20;
  private static final int FRAMES = 1024;

  private final MappedDevice device;
  private final SparseWindow window;
  private final int pages;

  ToggleFlow(FlowCase of) {
    this(of, PAGES);
  }

  /** Use a window of other than 1 GiB. */
  ToggleFlow(FlowCase of, long pages) {
    this.pages = Math.toIntExact(pages);
    device = MappedDevice.withTables(of.stack(), Math.max(LEAST_TABLES, pages * TABLE_BYTES));
    window = device.mapper.newWindow(pages * 4096, 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
  }

  @Override
  public Worker worker(int index, int workers) {
    return new Toggler(index * (pages / workers), pages / workers, new ScatteredPages(FRAMES, index).phys);
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
    private final long[] linked;
    private final Draw draw;

    private Toggler(int first, int pages, long[] phys) {
      this.first = first;
      this.pages = pages;
      this.phys = phys;
      this.linked = new long[(pages + Long.SIZE - 1) / Long.SIZE];
      this.draw = new Draw(first + 1);
      for (int page = 0; page < pages; page += 2) {
        toggle(page);
      }
    }

    private long toggle(int page) {
      long offset = (first + page) * 4096L;
      int word = page / Long.SIZE;
      linked[word] ^= 1L << page;
      if ((linked[word] & 1L << page) == 0) {
        window.unlink(offset, 4096);
        return offset;
      }
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
