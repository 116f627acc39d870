package io.twostep.platform;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Describes a platform by names; {@link #build} checks all of it at once. Not thread-safe.
 *
 * <p>What is said later takes the place of what was said before: the machine, a value of the same name, the stack of all devices. Sources of plugins and devices add up.
 */
public final class PlatformBuilder {
  private final List<PluginSource> sources = new ArrayList<>();
  private final Map<String, String> machineSettings = new TreeMap<>();
  private final List<DeviceBuilder> devices = new ArrayList<>();
  private @Nullable String machine;
  private List<String> backends = List.of();

  PlatformBuilder(List<PluginSource> sources) {
    this.sources.addAll(sources);
  }

  /** Use the plugins of another source too. */
  public PlatformBuilder plugins(PluginSource source) {
    sources.add(source);
    return this;
  }

  /** Choose the machine by name, such as {@code model}. */
  public PlatformBuilder machine(String name) {
    machine = name;
    return this;
  }

  /** Set one value of the machine. */
  public PlatformBuilder set(String name, String value) {
    machineSettings.put(name, value);
    return this;
  }

  /** Choose the mapping stack of devices that choose none: layers outermost first, then the terminal. */
  public PlatformBuilder backends(String... names) {
    backends = List.of(names);
    return this;
  }

  /**
   * Describe a device; where the machine hosts models, one is plugged in.
   *
   * @param address its place in the machine, such as {@code 0000:01:00.0}
   * @param model name of the device model
   */
  public PlatformBuilder device(String address, String model, Consumer<DeviceBuilder> description) {
    return device(new DeviceBuilder(address, model), description);
  }

  /** Describe a device that is in the machine already. */
  public PlatformBuilder device(String address, Consumer<DeviceBuilder> description) {
    return device(new DeviceBuilder(address, null), description);
  }

  private PlatformBuilder device(DeviceBuilder device, Consumer<DeviceBuilder> description) {
    description.accept(device);
    devices.add(device);
    return this;
  }

  /**
   * Check the description and make nothing: names, stacks, names of settings, and values of slots.
   *
   * @throws PlatformException naming everything that is wrong
   */
  public PlatformBuilder check() {
    new PlatformAssembly(new PluginCatalog(sources)).check(machine, machineSettings, described());
    return this;
  }

  /**
   * Make the machine, plug the models in and make the backends.
   *
   * @throws PlatformException naming everything that is wrong; nothing stays open then
   */
  public Platform build() {
    return new PlatformAssembly(new PluginCatalog(sources)).assemble(machine, machineSettings, described());
  }

  private List<DeviceDescription> described() {
    return devices.stream().map(device -> device.describe(backends)).toList();
  }
}
