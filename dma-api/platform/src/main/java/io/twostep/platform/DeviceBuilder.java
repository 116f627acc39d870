package io.twostep.platform;

import io.twostep.dma.DeviceLimits;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Describes one device: its settings, its mapping stack and, without a driver, its limits. Not thread-safe.
 *
 * <p>What is said later takes the place of what was said before: a value of the same name, the stack, the limits.
 */
public final class DeviceBuilder {
  private final String address;
  private final @Nullable String model;
  private final Map<String, String> settings = new TreeMap<>();
  private @Nullable List<String> backends;
  private DeviceLimits limits = DeviceLimits.UNLIMITED;

  DeviceBuilder(String address, @Nullable String model) {
    this.address = address;
    this.model = model;
  }

  /**
   * Set one value.
   *
   * @param name a setting of the device model; {@code backend.name} for a setting of a backend in this device's stack; {@code driver.name} for a
   *     setting of its driver; or one of {@code trusted}, {@code coherent}, {@code translation}, {@code group}, {@code address-bits} of its slot
   */
  public DeviceBuilder set(String name, String value) {
    settings.put(name, value);
    return this;
  }

  /** Choose the mapping stack: layers outermost first, then the terminal. */
  public DeviceBuilder backends(String... names) {
    return backends(List.of(names));
  }

  /** Choose the mapping stack: layers outermost first, then the terminal. */
  public DeviceBuilder backends(List<String> names) {
    backends = List.copyOf(names);
    return this;
  }

  /** State the limits for {@link Platform#mapper}; a driver states its own. Unlimited by default. */
  public DeviceBuilder limits(DeviceLimits limits) {
    this.limits = limits;
    return this;
  }

  DeviceDescription describe(List<String> defaultBackends) {
    List<String> chosen = backends;
    return new DeviceDescription(
        address, model, chosen == null ? defaultBackends : chosen, new TreeMap<>(settings), limits);
  }
}
