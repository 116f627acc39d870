package io.twostep.dma.spi;

import java.lang.foreign.MemorySegment;

/**
 * A device's way to memory: reads and writes by DMA address, under its requester id, through whatever translates.
 *
 * <p>Never throws for what the bus refuses: the status says it. An access is split at pages; on a refusal, bytes before the first refused
 * page may have moved. Pages move in ascending order; the bytes of one page in no particular order, so a part that others wait for, such as a valid flag, is
 * a later write of its own: writes of one device are seen in the order they were made.
 */
public interface BusMaster {
  /** Done. */
  int OK = 0;

  /** Nothing answers at the address, or the translation refuses it. */
  int UNSUPPORTED_REQUEST = 1;

  /** The target answered with an abort. */
  int COMPLETER_ABORT = 2;

  /** The function may not master the bus, or is gone. */
  int NOT_MASTER = 3;

  /**
   * Read {@code length} bytes at {@code dmaAddress} into {@code target} at {@code offset}; returns a status.
   *
   * @throws IndexOutOfBoundsException if they do not fit the segment
   */
  int read(long dmaAddress, MemorySegment target, long offset, long length);

  /**
   * Write {@code length} bytes of {@code source} at {@code offset} to {@code dmaAddress}; returns a status.
   *
   * @throws IndexOutOfBoundsException if the segment has fewer
   */
  int write(long dmaAddress, MemorySegment source, long offset, long length);
}
