package io.twostep.dma.spi;

import java.lang.foreign.MemorySegment;

/**
 * A device's way to memory: reads and writes by DMA address, under its requester id, through whatever translates.
 *
 * <p>Never throws for what the bus refuses: the status says it. An access is split at pages; on a refusal, bytes before the first refused
 * page may have moved.
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

  /** Read {@code length} bytes at {@code dmaAddress} into {@code target} at {@code offset}; returns a status. */
  int read(long dmaAddress, MemorySegment target, long offset, long length);

  /** Write {@code length} bytes of {@code source} at {@code offset} to {@code dmaAddress}; returns a status. */
  int write(long dmaAddress, MemorySegment source, long offset, long length);
}
