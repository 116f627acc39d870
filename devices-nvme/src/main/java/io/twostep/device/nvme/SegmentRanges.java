package io.twostep.device.nvme;

import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;

/** The physical ranges behind a segment of machine memory, found as they are asked for. */
final class SegmentRanges implements SeekableRanges {
  private final PhysicalMemory memory;
  private final MemorySegment segment;
  private long position;

  SegmentRanges(PhysicalMemory memory, MemorySegment segment) {
    this.memory = memory;
    this.segment = segment;
  }

  boolean isMachineMemory() {
    return memory.ranges(segment, 0, new long[1], new long[1]) > 0;
  }

  @Override
  public void rewind() {
    position = 0;
  }

  @Override
  public void seek(long offset) {
    if (offset < 0 || offset > segment.byteSize()) {
      throw new IndexOutOfBoundsException("offset " + offset + " of a segment of " + segment.byteSize() + " bytes");
    }
    position = offset;
  }

  @Override
  public int fill(long[] phys, long[] length) {
    if (position >= segment.byteSize()) {
      return 0;
    }
    int filled = memory.ranges(segment, position, phys, length);
    for (int i = 0; i < filled; i++) {
      position += length[i];
    }
    return Math.max(0, filled);
  }
}
