package io.twostep.dma.spi;

/** Whoever lets a device use memory that may be taken back, as its {@link Revocable} sees it: to be told when it is. Thread-safe. */
public interface Importer {
  /** Return the device that uses the memory. */
  DeviceSlot device();

  /**
   * Learn that memory was taken back: remove every translation that leads to it, at once or when the call under way returns; ask the driver to let go
   * of what no translation guards. Must not block.
   */
  void revoked(Revocable memory);

  /**
   * Keep the device from reaching anything, because it did not let go in time.
   *
   * @throws RuntimeException if that cannot be confirmed
   */
  void stop();
}
