package io.twostep.dma;

/** Receives the entries a device is to be given, one by one, in request order. */
@FunctionalInterface
public interface DmaSink {
  /**
   * Take one entry.
   *
   * @param dmaAddress the address the device uses for the entry's first byte
   * @param length bytes, within the device's segment limits
   * @param kind a {@link RangeKind}
   * @return false to refuse: the whole request is then undone
   */
  boolean accept(long dmaAddress, long length, int kind);
}
