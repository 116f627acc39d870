package io.twostep.examples.rpc;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A message as RPC keeps it: a small head, pages from some offset on, and a small tail; on the wire they are one stream. One thread at a time. */
final class XdrBuffer implements AutoCloseable {
  static final int SMALL = 512;
  static final int MOST_PAGES = 1 << 20;
  private static final long FRAME = 4096;

  private final MemoryBlock head;
  private final MemoryBlock pages;
  private final MemoryBlock tail;
  private int headLength;
  private int pageBase;
  private int pageLength;
  private int tailLength;

  XdrBuffer(PhysicalMemory memory) {
    head = memory.allocate(SMALL, MemoryPlacement.SCATTERED);
    pages = memory.allocate(MOST_PAGES + FRAME, MemoryPlacement.SCATTERED);
    tail = memory.allocate(SMALL, MemoryPlacement.SCATTERED);
  }

  /** Lay it out anew. */
  XdrBuffer reset(int headBytes, int base, int pageBytes, int tailBytes) {
    if (headBytes < 0 || headBytes > SMALL || tailBytes < 0 || tailBytes > SMALL || base < 0 || base >= FRAME || pageBytes < 0 || pageBytes > MOST_PAGES) {
      throw new IllegalArgumentException(
          "a message of %d + %d + %d bytes; head and tail have up to %d, pages up to %d".formatted(headBytes, pageBytes, tailBytes, SMALL, MOST_PAGES));
    }
    headLength = headBytes;
    pageBase = base;
    pageLength = pageBytes;
    tailLength = tailBytes;
    return this;
  }

  MemorySegment head() {
    return head.segment().asSlice(0, headLength);
  }

  MemorySegment pages() {
    return pages.segment().asSlice(pageBase, pageLength);
  }

  MemorySegment tail() {
    return tail.segment().asSlice(0, tailLength);
  }

  int length() {
    return headLength + pageLength + tailLength;
  }

  PhysRanges headRanges() {
    return head.ranges();
  }

  /** Return the ranges of all page memory; the pages begin at {@link #pageBase}. */
  PhysRanges pageRanges() {
    return pages.ranges();
  }

  PhysRanges tailRanges() {
    return tail.ranges();
  }

  int pageBase() {
    return pageBase;
  }

  /** Return the message as one stream. */
  byte[] toBytes() {
    byte[] all = new byte[length()];
    MemorySegment stream = MemorySegment.ofArray(all);
    MemorySegment.copy(head(), 0, stream, 0, headLength);
    MemorySegment.copy(pages(), 0, stream, headLength, pageLength);
    MemorySegment.copy(tail(), 0, stream, (long) headLength + pageLength, tailLength);
    return all;
  }

  static void put(byte[] bytes, MemorySegment to) {
    MemorySegment.copy(bytes, 0, to, ValueLayout.JAVA_BYTE, 0, bytes.length);
  }

  @Override
  public void close() {
    head.close();
    pages.close();
    tail.close();
  }
}
