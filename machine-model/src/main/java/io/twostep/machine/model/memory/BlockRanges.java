package io.twostep.machine.model.memory;

import io.twostep.dma.PhysRanges;

/** Walk the physical ranges of a block in order, adjacent frames joined. */
final class BlockRanges implements PhysRanges {
  private final Block block;
  private long offset;

  BlockRanges(Block block) {
    this.block = block;
  }

  @Override
  public void rewind() {
    offset = 0;
  }

  @Override
  public int fill(long[] phys, long[] length) {
    int filled = fill(block, offset, block.length(), phys, length);
    for (int i = 0; i < filled; i++) {
      offset += length[i];
    }
    return filled;
  }

  /** Fill the arrays with the ranges behind the bytes from {@code from} to {@code to} of a block; returns entries filled. */
  static int fill(Block block, long from, long to, long[] phys, long[] length) {
    int shift = PhysicalLayout.FRAME_SHIFT;
    int filled = 0;
    long at = from;
    while (at < to && filled < phys.length) {
      int frame = (int) (at >>> shift);
      long first = block.frame(frame);
      long start = (first << shift) | (at & (PhysicalLayout.FRAME_SIZE - 1));
      if (!block.scattered()) {
        phys[filled] = start;
        length[filled++] = to - at;
        return filled;
      }
      int next = frame + 1;
      while ((long) next << shift < to && block.frame(next) == first + (next - frame)) {
        next++;
      }
      long end = Math.min((long) next << shift, to);
      phys[filled] = start;
      length[filled++] = end - at;
      at = end;
    }
    return filled;
  }
}
