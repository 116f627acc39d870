package io.twostep.device.nvme;

import io.twostep.dma.PhysRanges;

/** Ranges that can be read from the middle: the parts of a split request then need not be walked to. */
public interface SeekableRanges extends PhysRanges {
  /**
   * Let the next {@link #fill} begin with the byte at {@code offset} of all ranges together.
   *
   * @throws IndexOutOfBoundsException if there are fewer bytes
   */
  void seek(long offset);
}
