package io.twostep.machine.model.memory;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Find the physical ranges behind a segment of RAM or of a BAR. */
final class SegmentRanges {
  private static final int SHIFT = PhysicalLayout.FRAME_SHIFT;

  private final MemorySegment all;
  private final long base;
  private final long viewStart;
  private final FrameTable table;
  private final MmioMap mmio;

  SegmentRanges(MemorySegment all, long base, long viewStart, FrameTable table, MmioMap mmio) {
    this.all = all;
    this.base = base;
    this.viewStart = viewStart;
    this.table = table;
    this.mmio = mmio;
  }

  /** Fill the arrays with the ranges behind a segment from {@code offset} on; as {@link ModelMemory#ranges}. */
  int fill(MemorySegment segment, long offset, long[] phys, long[] length) {
    long bytes = segment.byteSize();
    Objects.checkIndex(offset, bytes + 1);
    if (!segment.isNative() || !segment.scope().isAlive()) {
      return -1;
    }
    long start = segment.address() - all.address();
    if (start < 0 || start >= all.byteSize() || bytes > all.byteSize() - start) {
      return barRange(segment, offset, phys, length);
    }
    if (offset == bytes) {
      return 0;
    }
    Block block = storageOwner(start);
    if (block == null || !block.holdsStorage(start, bytes)) {
      return runRange(start, bytes, offset, phys, length);
    }
    long from = start - block.storageOffset();
    return BlockRanges.fill(block, from + offset, from + bytes, phys, length);
  }

  private int barRange(MemorySegment segment, long offset, long[] phys, long[] length) {
    long first = mmio.physOf(segment.address(), segment.byteSize());
    if (first == -1) {
      return -1;
    }
    if (offset == segment.byteSize()) {
      return 0;
    }
    phys[0] = first + offset;
    length[0] = segment.byteSize() - offset;
    return 1;
  }

  /** Answer for a segment that spans several blocks: they are in the first half, where CPU and physical order agree. */
  private int runRange(long start, long bytes, long offset, long[] phys, long[] length) {
    if (start + bytes > viewStart) {
      return -1;
    }
    for (long page = start >>> SHIFT; page <= (start + bytes - 1) >>> SHIFT; page++) {
      if (storageOwner(page << SHIFT) == null) {
        return -1;
      }
    }
    phys[0] = base + start + offset;
    length[0] = bytes - offset;
    return 1;
  }

  private @Nullable Block storageOwner(long offset) {
    long page = offset >>> SHIFT;
    return table.storagePage(page) == 0 ? table.owner(page) : null;
  }
}
