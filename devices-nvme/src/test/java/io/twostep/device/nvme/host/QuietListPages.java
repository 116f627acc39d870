package io.twostep.device.nvme.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** List memory as a stack of free pages that allocates nothing on the heap, for measuring. */
final class QuietListPages implements ListPages {
  private final int pageSize;
  private final MemorySegment memory;
  private final long[] free;
  private int count;

  QuietListPages(int pageSize, int capacity) {
    this.pageSize = pageSize;
    memory = Arena.ofAuto().allocate((long) pageSize * capacity, 4096);
    free = new long[capacity];
    for (int i = 0; i < capacity; i++) {
      free[count++] = i;
    }
  }

  @Override
  public int pageSize() {
    return pageSize;
  }

  @Override
  public long allocate(boolean small) {
    return count == 0 ? NONE : free[--count];
  }

  @Override
  public void free(long token) {
    free[count++] = token;
  }

  @Override
  public long dmaAddress(long token) {
    return 0x10_0000L + token * pageSize;
  }

  @Override
  public MemorySegment segment(long token) {
    return memory;
  }

  @Override
  public long offset(long token) {
    return token * pageSize;
  }
}
