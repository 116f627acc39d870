package io.twostep.backend.iommu.table;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;

/** Table pages from one native block, counted, checked against double frees, failing at a chosen allocation. */
final class FakeTableMemory implements TableMemory {
  static final int PAGE = 4096;
  private final MemorySegment segment;
  private final long base;
  private final BitSet used;
  private final int capacity;
  private int hint;
  private long failAt = Long.MAX_VALUE;
  private long allocations;

  FakeTableMemory(Arena arena, long base, int capacity) {
    this.segment = arena.allocate((long) capacity * PAGE, PAGE);
    this.base = base;
    this.capacity = capacity;
    this.used = new BitSet(capacity);
  }

  /** Makes the n-th allocation from now on fail, and none after it; 0 lets all succeed. */
  synchronized void failNth(int n) {
    failAt = n == 0 ? Long.MAX_VALUE : allocations + n;
  }

  synchronized int inUse() {
    return used.cardinality();
  }

  synchronized long allocations() {
    return allocations;
  }

  long word(long phys) {
    return segment.get(ValueLayout.JAVA_LONG, phys - base);
  }

  void setWord(long phys, long word) {
    segment.set(ValueLayout.JAVA_LONG, phys - base, word);
  }

  @Override
  public MemorySegment segment() {
    return segment;
  }

  @Override
  public long base() {
    return base;
  }

  @Override
  public synchronized long allocatePage() {
    if (++allocations == failAt) {
      return NONE;
    }
    int page = used.nextClearBit(hint);
    if (page >= capacity) {
      page = used.nextClearBit(0);
    }
    if (page >= capacity) {
      return NONE;
    }
    used.set(page);
    hint = page + 1;
    long offset = (long) page * PAGE;
    for (long at = offset; at < offset + PAGE; at += 8) {
      segment.set(ValueLayout.JAVA_LONG, at, 0);
    }
    return base + offset;
  }

  @Override
  public synchronized void freePage(long phys) {
    long page = (phys - base) / PAGE;
    if (page * PAGE != phys - base || page < 0 || page >= capacity || !used.get((int) page)) {
      throw new IllegalStateException("not an allocated table page: 0x" + Long.toHexString(phys));
    }
    used.clear((int) page);
  }
}
