package io.twostep.device.rdma.mirror;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Where contents of small pages are while they are not in memory. Slots are shared by counting; thread-safe. */
final class SwapStore {
  private final int pageSize;
  private final List<byte[]> contents = new ArrayList<>();
  private final FreeFrames free = new FreeFrames();
  private int[] shares = new int[64];
  private int inUse;

  SwapStore(long pageSize) {
    this.pageSize = (int) pageSize;
  }

  /** Store a page; returns a slot with one share. */
  synchronized int put(MemorySegment source, long offset) {
    if (free.isEmpty()) {
      free.push(contents.size());
      contents.add(new byte[pageSize]);
    }
    int slot = free.pop();
    if (slot >= shares.length) {
      shares = Arrays.copyOf(shares, slot * 2);
    }
    MemorySegment.copy(source, ValueLayout.JAVA_BYTE, offset, contents.get(slot), 0, pageSize);
    shares[slot] = 1;
    inUse++;
    return slot;
  }

  synchronized void get(int slot, MemorySegment target, long offset) {
    MemorySegment.copy(contents.get(slot), 0, target, ValueLayout.JAVA_BYTE, offset, pageSize);
  }

  synchronized void share(int slot) {
    shares[slot]++;
  }

  synchronized void release(int slot) {
    if (--shares[slot] == 0) {
      free.push(slot);
      inUse--;
    }
  }

  synchronized int inUse() {
    return inUse;
  }
}
