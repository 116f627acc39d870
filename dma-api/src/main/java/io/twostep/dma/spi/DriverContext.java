package io.twostep.dma.spi;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;

/** What a driver is given: its device, and the way to memory. */
public interface DriverContext {
  /** Return the device. */
  DeviceSlot slot();

  /** Return the machine, for example to publish memory of the device to its peers. */
  Machine machine();

  /** Return the machine's memory. */
  default PhysicalMemory memory() {
    return machine().memory();
  }

  /** Return the machine's clock. */
  default Timers timers() {
    return machine().timers();
  }

  /** Return the driver's settings. */
  Settings settings();

  /**
   * Attach the device with the limits the driver found; narrower limits later need a new call and no live mapping.
   *
   * <p>The mapper is the driver's: the driver closes it, after everything it made was torn down, when it is done with the device.
   */
  DmaMapper attach(DeviceLimits limits);

  /** Return a context without a platform: the device in {@code slot}, attached through {@code stack}. */
  static DriverContext of(Machine machine, DeviceSlot slot, DmaStack stack, Settings settings) {
    return new StackDriverContext(machine, slot, stack, settings);
  }
}
