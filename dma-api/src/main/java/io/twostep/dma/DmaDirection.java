package io.twostep.dma;

/**
 * Say who may write: the device's permission on mapped memory, as tight as the translation format allows.
 *
 * <p>Directions are seen from memory, as in the Linux DMA API: {@link #TO_DEVICE} data leaves memory.
 */
public enum DmaDirection {
  /** The device reads memory and never writes it. */
  TO_DEVICE(1),
  /**
   * The device writes memory and, where the format can express it, never reads it. Where it cannot, an untrusted device is shown zeros in place of the memory, if a bounce layer serves it: what
   * it leaves unwritten is zeros afterwards, and not what lay there.
   */
  FROM_DEVICE(2),
  /** The device reads and writes memory. */
  BIDIRECTIONAL(3);

  private final int access;

  DmaDirection(int access) {
    this.access = access;
  }

  /** Return the permission bits, {@link io.twostep.dma.spi.MapFlags#DEVICE_READS} and {@code DEVICE_WRITES}. */
  public int access() {
    return access;
  }

  /** Tell whether the device may read the memory. */
  public boolean deviceReads() {
    return (access & 1) != 0;
  }

  /** Tell whether the device may write the memory. */
  public boolean deviceWrites() {
    return (access & 2) != 0;
  }
}
