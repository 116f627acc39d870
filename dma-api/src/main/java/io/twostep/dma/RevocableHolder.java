package io.twostep.dma;

import io.twostep.dma.spi.Importer;
import io.twostep.dma.spi.Revocable;

/**
 * Who answers for pins of memory that may be taken back, so that its owner knows for each pin which device to stop.
 *
 * <p>An importer of the memory from its first pin to its last.
 */
interface RevocableHolder extends Importer {
  /** Note pins that were just made. Returns false, and notes nothing, if the memory was taken back. */
  boolean add(Revocable memory, long pins);

  /** Note that pins are about to go. */
  void remove(Revocable memory, long pins);

  /** Return the mapper of the device that may reach the memory. */
  DmaMapper mapper();
}
