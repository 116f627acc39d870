package io.twostep.backend.debug;

import io.twostep.dma.PhysRanges;

/** Every other page of a contiguous block; from the second reading on, the last page is another one. */
final class ShiftingPages implements PhysRanges {
  private final long first;
  private final int count;
  private int next;
  private int readings;

  ShiftingPages(long first, int count) {
    this.first = first;
    this.count = count;
  }

  @Override
  public void rewind() {
    next = 0;
    readings++;
  }

  @Override
  public int fill(long[] phys, long[] length) {
    int filled = 0;
    for (; filled < phys.length && next < count; filled++, next++) {
      boolean other = readings > 1 && next == count - 1;
      phys[filled] = first + (other ? 2L * next + 1 : 2L * next) * Rig.PAGE;
      length[filled] = Rig.PAGE;
    }
    return filled;
  }
}
