package io.twostep.dma.spi;

/** Removes stale translations of one address space; implemented by translating terminals. */
public interface Invalidator {
  /**
   * Invalidate everything cached for the range and return when that is complete.
   *
   * @param firstIova first byte
   * @param lastIova last byte, inclusive
   * @param tablesChanged whether table pages were removed too, so that cached table pointers must go
   * @throws io.twostep.dma.DmaMappingException QUARANTINED if completion could not be confirmed
   */
  void invalidate(long firstIova, long lastIova, boolean tablesChanged);
}
