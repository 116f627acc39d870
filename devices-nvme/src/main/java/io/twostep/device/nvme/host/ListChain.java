package io.twostep.device.nvme.host;

import java.lang.foreign.MemorySegment;

/** The list pieces that one request holds, in order. Reused from request to request; one thread at a time. */
final class ListChain {
  private final ListPages pages;
  private final long[] tokens;
  private int count;

  ListChain(ListPages pages, int capacity) {
    this.pages = pages;
    this.tokens = new long[capacity];
  }

  /** Take one more piece; returns false, and holds what it held, if there is none or the chain is full. */
  boolean tryExtend(boolean small) {
    if (count == tokens.length) {
      return false;
    }
    long token = pages.allocate(small);
    if (token == ListPages.NONE) {
      return false;
    }
    tokens[count++] = token;
    return true;
  }

  /** Give everything back; harmless if nothing is held. */
  void release() {
    while (count > 0) {
      pages.free(tokens[--count]);
    }
  }

  int count() {
    return count;
  }

  boolean isFull() {
    return count == tokens.length;
  }

  MemorySegment lastSegment() {
    return pages.segment(tokens[count - 1]);
  }

  long lastOffset() {
    return pages.offset(tokens[count - 1]);
  }

  long lastDmaAddress() {
    return pages.dmaAddress(tokens[count - 1]);
  }
}
