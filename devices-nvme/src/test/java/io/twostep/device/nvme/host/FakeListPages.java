package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.U64;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/** List memory over one segment: token = index, poisoned when given out, refusing from a chosen call on. */
final class FakeListPages implements ListPages {
  private static final long BASE = 0xffff_8000_0000L;
  private static final U64 WORD = new U64(0);

  private final int pageSize;
  private final int capacity;
  private final MemorySegment memory;
  private final BitSet used = new BitSet();
  private final BitSet small = new BitSet();
  private int failAfter = Integer.MAX_VALUE;
  private int allocations;

  FakeListPages(int pageSize, int capacity) {
    this.pageSize = pageSize;
    this.capacity = capacity;
    memory = Arena.ofAuto().allocate((long) pageSize * capacity, 4096);
  }

  /** Let {@code successes} more calls succeed, then fail all. */
  void failAfter(int successes) {
    failAfter = successes;
    allocations = 0;
  }

  int outstanding() {
    return used.cardinality();
  }

  int smallOutstanding() {
    return small.cardinality();
  }

  /** Read as the device does; anything outside a piece given out is an error. */
  long read(long dmaAddress) {
    long offset = dmaAddress - BASE;
    int token = (int) (offset / pageSize);
    if (offset < 0 || !used.get(token)) {
      throw new AssertionError("device read 0x" + Long.toHexString(dmaAddress) + ", which is no list memory");
    }
    if (small.get(token) && offset - offset(token) >= SMALL) {
      throw new AssertionError("device read past a small piece");
    }
    return WORD.get(memory, offset);
  }

  @Override
  public int pageSize() {
    return pageSize;
  }

  @Override
  public long allocate(boolean isSmall) {
    if (++allocations > failAfter) {
      return NONE;
    }
    int token = used.nextClearBit(0);
    if (token >= capacity) {
      return NONE;
    }
    used.set(token);
    small.set(token, isSmall);
    memory.asSlice((long) token * pageSize, pageSize).fill((byte) 0xa5);
    return token;
  }

  @Override
  public void free(long token) {
    if (!used.get((int) token)) {
      throw new AssertionError("list page freed twice");
    }
    used.clear((int) token);
    small.clear((int) token);
  }

  @Override
  public long dmaAddress(long token) {
    return BASE + offset(token);
  }

  @Override
  public MemorySegment segment(long token) {
    return memory;
  }

  @Override
  public long offset(long token) {
    // Small pieces stand at the end of their page, where a parser must notice that the page ends.
    return token * pageSize + (small.get((int) token) ? pageSize - SMALL : 0);
  }
}
