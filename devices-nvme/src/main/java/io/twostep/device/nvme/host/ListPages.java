package io.twostep.device.nvme.host;

import java.lang.foreign.MemorySegment;

/**
 * Memory for PRP lists and SGL segments: device-visible, in pages of the controller's page size and in small pieces.
 *
 * <p>A piece is aligned to its length and so never crosses a page. Pieces are known by tokens, so that nothing is allocated on the heap.
 */
public interface ListPages {
  /** Bytes of a small piece: 32 PRP entries or 16 SGL descriptors. */
  int SMALL = 256;

  /** The token that means that there was no memory. */
  long NONE = -1;

  /** Return the bytes of a page. */
  int pageSize();

  /** Take a page, or a small piece; returns its token, or {@link #NONE}, in which case waiting can help. */
  long allocate(boolean small);

  /** Give a piece back. */
  void free(long token);

  /** Return a piece's bus address. */
  long dmaAddress(long token);

  /** Return the memory that holds a piece. */
  MemorySegment segment(long token);

  /** Return where a piece begins in {@link #segment}. */
  long offset(long token);
}
