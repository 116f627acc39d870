package io.twostep.dma.spi;

/**
 * Registers of a device: every access happens exactly once, in program order, in the width given and in the byte order of the machine.
 *
 * <p>Offsets are bytes, aligned to the width; an access that is not, or that leaves the register space, throws {@link IndexOutOfBoundsException} and reaches no device. A write happens after all
 * stores that precede it in program order are visible to the device. Several threads may access registers at once; accesses of different threads are not ordered.
 *
 * <p>A device that is gone, whose decoding is off, or whose BAR was taken away, answers as the bus does: reads return all ones, writes are lost, and nothing is thrown. Whoever polls compares with all ones where that is no
 * value that the register can have; {@link DeviceSlot#mmio} and the other calls of the slot say DETACHED.
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
