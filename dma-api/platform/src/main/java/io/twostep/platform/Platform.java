package io.twostep.platform;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.Names;
import io.twostep.dma.spi.PhysicalMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A machine, its devices and their mapping stacks, running.
 *
 * <p>Thread-safe. Owns what it made: {@link #close} ends drivers, mappers, backends and the machine, in that order.
 */
public final class Platform implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Platform.class);

  private final PluginCatalog catalog;
  private final Machine machine;
  private final Map<String, PlatformDevice> devices = new LinkedHashMap<>();
  private final List<Backend> backends;
  private final List<PlatformDevice> opened = new ArrayList<>();
  private boolean machineClosed;

  Platform(PluginCatalog catalog, Machine machine, List<Backend> backends, List<PlatformDevice> devices) {
    this.catalog = catalog;
    this.machine = machine;
    this.backends = new ArrayList<>(backends);
    devices.forEach(device -> this.devices.put(device.address(), device));
    LOG.info("machine {} with devices {}", machine.name(), this.devices.keySet());
  }

  /** Start a description that uses the plugins on the class path and the module path. */
  public static PlatformBuilder builder() {
    return builder(PluginSource.installed());
  }

  /** Start a description that uses the plugins of these sources only. */
  public static PlatformBuilder builder(PluginSource... sources) {
    return new PlatformBuilder(List.of(sources));
  }

  /** List the plugins on the class path and the module path, and those that cannot be used. */
  public static PluginListing plugins() {
    return plugins(PluginSource.installed());
  }

  /** List the plugins of these sources, and those that cannot be used. */
  public static PluginListing plugins(PluginSource... sources) {
    try (PluginCatalog found = new PluginCatalog(List.of(sources))) {
      return found.listing();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Return the machine. */
  public Machine machine() {
    return machine;
  }

  /** Return the machine's memory. */
  public PhysicalMemory memory() {
    return machine.memory();
  }

  /** Return the addresses of the described devices, in the order of the description. */
  public Set<String> devices() {
    return Collections.unmodifiableSet(devices.keySet());
  }

  /**
   * Attach a device through its stack, with the limits a driver found; replaces an earlier mapper of the device, whose handles must be idle.
   *
   * @throws IllegalArgumentException if no such device was described, naming the nearest
   * @throws IllegalStateException if an earlier mapper has live mappings, the device has a driver that was opened, or it is quarantined
   * @throws io.twostep.dma.DmaMappingException if a backend cannot serve the device
   */
  public DmaMapper attach(String address, DeviceLimits limits) {
    return device(address).attachWithoutDriver(limits);
  }

  /** Return the device's mapper, attaching with the limits of its description if it has none yet or the last one was closed. */
  public DmaMapper mapper(String address) {
    return device(address).mapper();
  }

  /**
   * Bring a device up with the driver that offers {@code type}; the platform closes it.
   *
   * @throws IllegalArgumentException if there is no such device, no such driver, or the driver cannot run the device
   * @throws IllegalStateException if the device has a driver already
   */
  public <T extends Driver> T open(String address, Class<T> type) {
    PlatformDevice device = device(address);
    T driver = type.cast(device.open(() -> new DriverBinding(catalog, machine, device).bind(type)));
    synchronized (this) {
      opened.remove(device);
      opened.add(device);
    }
    return driver;
  }

  /**
   * Close the device's driver, if it has one, and its mapper; both can be opened anew.
   *
   * @throws PlatformException if something did not close, with the failures suppressed; a device that does not stop is quarantined
   */
  public void release(String address) {
    List<Exception> failures = new ArrayList<>();
    device(address).release(false, failures::add);
    throwFailures("device " + address + " was not released", failures);
  }

  /**
   * Return the model that was plugged in for a device.
   *
   * @throws IllegalArgumentException if there is no such device, or its model is not of this type
   */
  public <T extends DeviceModel> T model(String address, Class<T> type) {
    DeviceModel model = device(address).model();
    if (!type.isInstance(model)) {
      throw new IllegalArgumentException(
          "device " + address + ": " + (model == null ? "is not a model" : "its model is a " + model.getClass().getName())
              + ", not a " + type.getName());
    }
    return type.cast(model);
  }

  /**
   * Return the outermost backend of a type in a device's stack, for example to read its counters; null if there is none.
   *
   * @throws IllegalArgumentException if there is no such device
   */
  public <T extends Backend> @Nullable T backend(String address, Class<T> type) {
    return device(address).backends().stream().filter(type::isInstance).map(type::cast).findFirst().orElse(null);
  }

  private PlatformDevice device(String address) {
    PlatformDevice device = devices.get(address);
    if (device == null) {
      throw new IllegalArgumentException("no device " + address + " was described" + Names.suggest(address, devices.keySet()));
    }
    return device;
  }

  /**
   * Quiesce and close drivers, last opened first, detach every device, close the backends and the machine; may be repeated.
   *
   * <p>A device with live mappings is stopped, and what it uses stays open until the mappings are gone and close is called again. A device that
   * does not stop is quarantined with all it could reach, for good.
   *
   * @throws PlatformException if something did not close, with the failures suppressed
   */
  @Override
  public synchronized void close() {
    List<Exception> failures = new ArrayList<>();
    List<PlatformDevice> held = new ArrayList<>();
    List<PlatformDevice> order = new ArrayList<>(devices.values());
    order.removeAll(opened);
    order.addAll(opened);
    for (PlatformDevice device : order.reversed()) {
      if (!device.release(true, failures::add)) {
        held.add(device);
      }
    }
    for (Backend backend : List.copyOf(backends).reversed()) {
      if (held.stream().noneMatch(device -> device.uses(backend))) {
        backends.remove(backend);
        closeQuietly(backend, failures);
      }
    }
    if (held.isEmpty() && !machineClosed) {
      machineClosed = true;
      closeQuietly(machine, failures);
      closeQuietly(catalog, failures);
    }
    throwFailures("the platform did not close", failures);
  }

  private static void closeQuietly(AutoCloseable closeable, List<Exception> failures) {
    try {
      closeable.close();
    } catch (Exception e) {
      failures.add(e);
    }
  }

  private static void throwFailures(String title, List<Exception> failures) {
    if (!failures.isEmpty()) {
      PlatformException thrown =
          new PlatformException(
              title, failures.stream().map(e -> e.getMessage() == null ? e.toString() : e.getMessage()).toList());
      failures.forEach(thrown::addSuppressed);
      throw thrown;
    }
  }
}
