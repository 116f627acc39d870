package io.twostep.platform;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.DeviceModelPlugin;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.MachinePlugin;
import io.twostep.dma.spi.Names;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.platform.PlatformPlan.PlannedBackend;
import io.twostep.platform.PlatformPlan.PlannedDevice;
import io.twostep.platform.PlatformPlan.PlannedModel;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Checks a description against what was found, and reports everything that is wrong rather than the first thing. */
final class PlatformPlanner {
  private final PluginCatalog catalog;
  private final List<String> problems;
  private final List<String> valueProblems = new ArrayList<>();
  private final Map<String, PlannedBackend> instances = new LinkedHashMap<>();

  PlatformPlanner(PluginCatalog catalog, List<String> problems) {
    this.catalog = catalog;
    this.problems = problems;
  }

  /** Plan a platform; returns null if there are problems. */
  @Nullable PlatformPlan plan(@Nullable String machine, Map<String, String> machineSettings, List<DeviceDescription> devices) {
    MachinePlugin machinePlugin = machine(machine);
    Settings settings = null;
    if (machinePlugin != null) {
      settings = settings(machinePlugin, machineSettings, "machine");
    }
    List<PlannedDevice> planned = new ArrayList<>();
    Set<String> addresses = new HashSet<>();
    for (DeviceDescription device : devices) {
      if (!addresses.add(device.address())) {
        problems.add("device " + device.address() + " is described twice");
      }
      planned.add(new DevicePlanner(device).plan());
    }
    if (machinePlugin == null || settings == null || !problems.isEmpty()) {
      return null;
    }
    return new PlatformPlan(machinePlugin, settings, List.copyOf(instances.values()), List.copyOf(planned));
  }

  /** Return what is wrong with values that are checked without a plugin; none of it keeps a plan from being made. */
  List<String> valueProblems() {
    return valueProblems;
  }

  private @Nullable MachinePlugin machine(@Nullable String name) {
    if (name != null) {
      return (MachinePlugin) catalog.find(PluginFamily.MACHINE, name, problems::add);
    }
    Collection<String> names = names(catalog.all(PluginFamily.MACHINE));
    problems.add(
        "no machine was chosen; call machine(name)"
            + (names.isEmpty() ? " and add one, such as artifact io.twostep:twostep-machine-model" : Names.suggest("", names)));
    return null;
  }

  private @Nullable Settings settings(DmaPlugin plugin, Map<String, String> given, String where) {
    List<String> wrong = Settings.problems(plugin, given);
    wrong.forEach(line -> problems.add(where + ": " + line));
    return wrong.isEmpty() ? Settings.of(plugin, given) : null;
  }

  private static List<String> names(Collection<? extends DmaPlugin> plugins) {
    return plugins.stream().map(DmaPlugin::name).toList();
  }

  /** Plans one device. */
  private final class DevicePlanner {
    private final DeviceDescription device;
    private final Map<String, String> own = new TreeMap<>();
    private final Map<String, Map<String, String>> prefixed = new TreeMap<>();

    DevicePlanner(DeviceDescription device) {
      this.device = device;
      device.settings().forEach(this::sort);
    }

    private void sort(String name, String value) {
      int dot = name.indexOf('.');
      if (dot < 0) {
        own.put(name, value);
      } else {
        prefixed.computeIfAbsent(name.substring(0, dot), p -> new TreeMap<>()).put(name.substring(dot + 1), value);
      }
    }

    PlannedDevice plan() {
      Map<String, String> slot = new TreeMap<>(own);
      slot.keySet().retainAll(SlotSettings.NAMES);
      own.keySet().removeAll(SlotSettings.NAMES);
      PlannedModel model = model();
      List<BackendPlugin> stack = stack();
      if (stack.size() == device.backends().size()) {
        checkOrder(stack);
        checkPrefixes();
      }
      Map<String, String> driver = prefixed.getOrDefault(PluginCatalog.DRIVER_PREFIX, Map.of());
      checkDriver(driver);
      List<String> keys = new ArrayList<>();
      stack.forEach(plugin -> keys.add(instance(plugin)));
      return new PlannedDevice(
          device, model, SlotSettings.parse(slot, line -> valueProblems.add(text() + ": " + line)), keys, driver, List.copyOf(slot.keySet()));
    }

    private @Nullable PlannedModel model() {
      String name = device.model();
      if (name == null) {
        if (!own.isEmpty()) {
          report("settings " + own.keySet() + " belong to a device model and none was named; write device(address, model, ...)");
        }
        return null;
      }
      DmaPlugin plugin = catalog.find(PluginFamily.DEVICE_MODEL, name, this::report);
      if (plugin == null) {
        return null;
      }
      Settings settings = settings(plugin, own, text());
      return settings == null ? null : new PlannedModel((DeviceModelPlugin) plugin, settings);
    }

    private List<BackendPlugin> stack() {
      List<BackendPlugin> stack = new ArrayList<>();
      if (device.backends().isEmpty()) {
        report("no backends were chosen; call backends(...)" + Names.suggest("", names(catalog.all(PluginFamily.BACKEND))));
      }
      for (String name : device.backends()) {
        DmaPlugin plugin = catalog.find(PluginFamily.BACKEND, name, this::report);
        if (plugin != null) {
          stack.add((BackendPlugin) plugin);
        }
      }
      return stack;
    }

    private void checkOrder(List<BackendPlugin> stack) {
      if (stack.isEmpty()) {
        return;
      }
      Set<String> seen = new TreeSet<>();
      for (BackendPlugin plugin : stack) {
        if (!seen.add(plugin.name())) {
          report("backend '" + plugin.name() + "' is in the stack " + stackText() + " twice");
        }
        for (String inner : plugin.mustLieAbove()) {
          if (!inner.equals(plugin.name()) && seen.contains(inner)) {
            report(
                "in the stack " + stackText() + ", '" + inner + "' must lie inside '" + plugin.name()
                    + "', nearer to memory: write '" + plugin.name() + "' first");
          }
        }
      }
      List<String> terminals = names(stack.stream().filter(plugin -> !plugin.layer()).toList());
      if (terminals.isEmpty()) {
        report("the stack " + stackText() + " has no terminal at its end" + terminalsFound());
      } else if (terminals.size() > 1) {
        report("the stack " + stackText() + " has more than one terminal: " + String.join(", ", terminals) + "; leave one");
      } else if (stack.getLast().layer()) {
        report("in the stack " + stackText() + ", the terminal '" + terminals.getFirst() + "' must come last");
      }
    }

    private String terminalsFound() {
      return Names.suggest(
          "", names(catalog.all(PluginFamily.BACKEND).stream().filter(p -> p.kind() == DmaPlugin.Kind.TERMINAL).toList()));
    }

    private String stackText() {
      return String.join(",", device.backends());
    }

    private void checkDriver(Map<String, String> given) {
      Set<String> known = new TreeSet<>();
      for (DmaPlugin driver : catalog.all(PluginFamily.DRIVER)) {
        driver.settings().stream().map(Setting::name).forEach(known::add);
      }
      for (String name : given.keySet()) {
        if (!known.contains(name)) {
          report(
              "no driver has a setting '" + name + "'"
                  + (known.isEmpty() ? "; no driver plugin has any setting" : Names.suggest(name, known)));
        }
      }
    }

    private void checkPrefixes() {
      for (String prefix : prefixed.keySet()) {
        if (!prefix.equals(PluginCatalog.DRIVER_PREFIX) && !device.backends().contains(prefix)) {
          report(
              "settings " + prefixed.get(prefix) + " are for backend '" + prefix + "', which is not in the stack "
                  + stackText() + Names.suggest(prefix, device.backends()));
        }
      }
    }

    /** Return the key of the instance of a backend with this device's settings for it. */
    private String instance(BackendPlugin plugin) {
      Map<String, String> given = prefixed.getOrDefault(plugin.name(), Map.of());
      Settings settings = settings(plugin, given, text());
      Map<String, String> unlike = new TreeMap<>(given);
      plugin.settings().forEach(setting -> unlike.remove(setting.name(), setting.defaultValue()));
      String key = unlike.isEmpty() ? plugin.name() : plugin.name() + unlike.toString().replace(", ", ",");
      if (settings != null) {
        instances.putIfAbsent(key, new PlannedBackend(key, plugin, settings));
      }
      return key;
    }

    private String text() {
      return "device " + device.address();
    }

    private void report(String problem) {
      problems.add(text() + ": " + problem);
    }
  }
}
