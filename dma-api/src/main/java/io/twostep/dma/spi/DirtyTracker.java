package io.twostep.dma.spi;

import io.twostep.dma.DirtyBitmap;

/**
 * Tells which pages of an address space devices wrote; one for each address space, the same object for all of its devices, made by the terminal that owns its translations.
 *
 * <p>Thread-safe. Mapping and unmapping go on meanwhile: whatever removes a translation while tracking keeps its dirty mark until it is read.
 */
public interface DirtyTracker {
  /** Return the smallest piece that a write is reported as, bytes; larger leaves are reported whole. */
  long granularity();

  /**
   * Start tracking, with everything clean: every write by a device after this has returned is reported.
   *
   * @throws IllegalStateException if it is tracked already: two readers would clear each other's marks
   * @throws io.twostep.dma.DmaMappingException QUARANTINED if cached translations could not be proved gone; it is not tracked then
   */
  void start();

  /** Stop tracking and forget what was not read; does nothing unless tracking. */
  void stop();

  /**
   * Mark in {@code bitmap} what was written in the bitmap's range since tracking started or the marks were cleared.
   *
   * @param clear whether to clear the marks. A write that happens during the call is reported by it or by the next; data is to be copied after it returns.
   * @throws IllegalStateException unless tracking
   * @throws io.twostep.dma.DmaMappingException QUARANTINED if cached translations could not be proved gone; nothing was cleared and the bitmap is unchanged
   */
  void read(boolean clear, DirtyBitmap bitmap);
}
