package io.twostep.dma.spi;

/**
 * Makes the host driver of a kind of device.
 *
 * @param <T> what users of the driver call
 */
public non-sealed interface DriverPlugin<T extends Driver> extends DmaPlugin {
  /** Return what users of the driver call. */
  Class<T> type();

  /** Tell whether the driver can run the device in a slot. */
  boolean matches(DeviceSlot slot);

  /**
   * Bring the device up.
   *
   * @throws RuntimeException if that fails, with the device stopped and nothing left mapped
   */
  T bind(DriverContext context);
}
