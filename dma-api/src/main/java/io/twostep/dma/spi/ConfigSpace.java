package io.twostep.dma.spi;

/** A PCI function's configuration space; little-endian, widths 1, 2 and 4 bytes, naturally aligned. */
public interface ConfigSpace {
  /** Read {@code width} bytes at {@code offset}; all ones from a device that is gone. */
  long read(int offset, int width);

  /** Write {@code width} bytes at {@code offset}. */
  void write(int offset, int width, long value);
}
