package io.twostep.dma.spi;

/**
 * Registers of a device: every access happens exactly once, in program order, in the width given.
 *
 * <p>Offsets are bytes, aligned to the width. Reads from a device that is gone return all ones, as the bus does. A write happens after all
 * stores that precede it in program order are visible to the device.
 */
public interface Mmio {
  /** Return the bytes of the register space. */
  long length();

  /** Read 32 bits, zero-extended by the caller if needed. */
  int read32(long offset);

  /** Read 64 bits in one access. */
  long read64(long offset);

  /** Write 32 bits. */
  void write32(long offset, int value);

  /** Write 64 bits in one access. */
  void write64(long offset, long value);
}
