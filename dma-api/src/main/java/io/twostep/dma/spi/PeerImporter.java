package io.twostep.dma.spi;

/** Whoever lets a device use peer memory, as its {@link PeerRange} sees it: to be told when the memory is taken back. Thread-safe. */
public interface PeerImporter {
  /** Return the device that uses the memory. */
  DeviceSlot device();

  /**
   * Learn that a range was taken back: remove every translation that leads to it, at once or when the call under way returns; ask the driver to let go
   * of what no translation guards. Must not block.
   */
  void revoked(PeerRange range);

  /**
   * Keep the device from reaching anything, because it did not let go in time.
   *
   * @throws RuntimeException if that cannot be confirmed
   */
  void stop();
}
