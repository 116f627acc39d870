package io.twostep.dma.spi;

/**
 * A window in which DMA address = physical address - {@code firstPhys} + {@code firstDmaAddress}.
 *
 * @param firstPhys first physical address
 * @param firstDmaAddress the DMA address of it
 * @param length bytes, positive
 */
public record OffsetWindow(long firstPhys, long firstDmaAddress, long length) {
  public OffsetWindow {
    if (length <= 0) {
      throw new IllegalArgumentException("offset window of " + length + " bytes: the length must be positive");
    }
  }

  /** Tell whether the whole range lies inside. */
  public boolean holdsPhys(long phys, long bytes) {
    long offset = phys - firstPhys;
    return Long.compareUnsigned(offset, length) < 0 && Long.compareUnsigned(bytes, length - offset) <= 0;
  }
}
