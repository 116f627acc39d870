package io.twostep.platform;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.Machine;
import io.twostep.platform.PlatformPlan.PlannedDevice;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** One device of a running platform: at most one mapper, and at most one driver. Thread-safe. */
final class PlatformDevice {
  private final PlannedDevice planned;
  private final Machine machine;
  private final DeviceSlot slot;
  private final @Nullable DeviceModel model;
  private final List<Backend> backends;
  private final DmaStack stack;
  private @Nullable DmaMapper mapper;
  private @Nullable Driver driver;
  private boolean quarantined;
  private boolean released;

  PlatformDevice(
      PlannedDevice planned,
      Machine machine,
      DeviceSlot slot,
      @Nullable DeviceModel model,
      List<Backend> backends,
      DmaStack stack) {
    this.planned = planned;
    this.machine = machine;
    this.slot = slot;
    this.model = model;
    this.backends = backends;
    this.stack = stack;
  }

  String address() {
    return planned.address();
  }

  DeviceSlot slot() {
    return slot;
  }

  @Nullable DeviceModel model() {
    return model;
  }

  List<Backend> backends() {
    return backends;
  }

  Map<String, String> driverSettings() {
    return planned.driverSettings();
  }

  Backend terminal() {
    return backends.getLast();
  }

  String terminalKey() {
    return planned.stack().getLast();
  }

  boolean uses(Backend backend) {
    return backends.stream().anyMatch(other -> other == backend);
  }

  /** Attach for somebody who is not the device's driver, which would lose its mapper. */
  synchronized DmaMapper attachWithoutDriver(DeviceLimits limits) {
    requireSound();
    requireNoDriver();
    return attach(limits);
  }

  /** Attach with limits; a mapper that maps nothing makes way, one that maps something does not. */
  synchronized DmaMapper attach(DeviceLimits limits) {
    requireSound();
    DmaMapper earlier = mapper;
    if (earlier != null && earlier.liveMappings() != 0) {
      throw new IllegalStateException(
          "device " + address() + ": cannot be attached again while " + earlier.liveMappings() + " mappings are live; unmap them first");
    }
    DmaMapper attached = stack.attach(machine, slot, limits);
    mapper = attached;
    if (earlier != null) {
      earlier.close();
    }
    return attached;
  }

  /** Return the mapper, attaching with the described limits if there is none or its user closed it. */
  synchronized DmaMapper mapper() {
    DmaMapper attached = mapper;
    return attached == null || attached.isClosed() || released ? attach(planned.description().limits()) : attached;
  }

  /** Bind a driver; at most one. */
  synchronized Driver open(Supplier<Driver> bind) {
    requireSound();
    requireNoDriver();
    Driver bound = bind.get();
    driver = bound;
    return bound;
  }

  private void requireNoDriver() {
    if (driver != null) {
      throw new IllegalStateException(
          "device " + address() + ": already has the driver " + driver.getClass().getName() + "; call release(\"" + address() + "\") first");
    }
  }

  private void requireSound() {
    if (released) {
      throw new IllegalStateException("device " + address() + ": the platform is closed");
    }
    if (quarantined) {
      throw new IllegalStateException(
          "device " + address() + ": quarantined, because it did not stop; its memory is not reused until the machine is reset");
    }
  }

  /**
   * Stop the driver, then the device, and detach; what fails is reported.
   *
   * @param last whether the device is never attached again
   * @return whether nothing of the device is left: false while mappings are live, and for a device that will not stop
   */
  synchronized boolean release(boolean last, Consumer<Exception> failures) {
    released |= last;
    if (quarantined) {
      return false;
    }
    boolean sound = closeDriver(failures);
    DmaMapper attached = mapper;
    if (attached != null && (!sound || attached.liveMappings() != 0)) {
      return hold(attached, failures);
    }
    if (!sound) {
      return stop(failures);
    }
    if (attached != null) {
      try {
        slot.busMaster(false);
        attached.close();
        mapper = null;
      } catch (RuntimeException e) {
        failures.accept(e);
        return false;
      }
    }
    return true;
  }

  /** Returns false if the driver could not say that the device has stopped. */
  private boolean closeDriver(Consumer<Exception> failures) {
    Driver bound = driver;
    driver = null;
    if (bound == null) {
      return true;
    }
    boolean sound = true;
    try {
      bound.quiesce();
    } catch (RuntimeException e) {
      failures.accept(e);
    }
    try {
      bound.close();
    } catch (RuntimeException e) {
      failures.accept(e);
      sound = false;
    }
    return sound;
  }

  /** Stop a device that still has mappings; with it stopped they are merely held, otherwise it is quarantined. */
  private boolean hold(DmaMapper attached, Consumer<Exception> failures) {
    if (!stop(failures)) {
      attached.detach();
      return false;
    }
    int live = attached.detach();
    if (live != 0) {
      failures.accept(
          new IllegalStateException(
              "device " + address() + ": " + live + (live == 1 ? " mapping is" : " mappings are") + " still live; the device was stopped; unmap and close again"));
      return false;
    }
    attached.close();
    mapper = null;
    return true;
  }

  private boolean stop(Consumer<Exception> failures) {
    try {
      slot.busMaster(false);
      slot.reset();
      return true;
    } catch (RuntimeException e) {
      quarantined = true;
      failures.accept(
          new IllegalStateException(
              "device " + address() + ": did not stop; it is quarantined with all memory it could reach", e));
      return false;
    }
  }
}
