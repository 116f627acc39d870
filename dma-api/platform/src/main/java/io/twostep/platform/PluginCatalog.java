package io.twostep.platform;

import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Names;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Spi;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The usable plugins of some sources, by family and name; what is not usable is a problem. Open while its plugins are used. */
final class PluginCatalog implements AutoCloseable {
  /** Prefix of settings that go to a device's driver; no backend may have this name. */
  static final String DRIVER_PREFIX = "driver";

  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9-]{0,31}");

  private final Map<PluginFamily, Map<String, DmaPlugin>> plugins = new EnumMap<>(PluginFamily.class);
  private final Map<PluginFamily, Map<String, GuicePlugin>> modules = new EnumMap<>(PluginFamily.class);
  private final List<PluginSource.Opened> opened = new ArrayList<>();
  private final List<String> problems = new ArrayList<>();

  PluginCatalog(List<PluginSource> sources) {
    for (PluginFamily family : PluginFamily.values()) {
      plugins.put(family, new TreeMap<>());
      modules.put(family, new TreeMap<>());
    }
    for (PluginSource source : sources) {
      opened.add(source.open(problems::add));
    }
    opened.forEach(source -> source.plugins(this::add, problems::add));
    opened.forEach(source -> source.modules(this::addModule, problems::add));
  }

  List<String> problems() {
    return problems;
  }

  /** Return the plugin with a name, or null and one line to {@code problem} that says what to do. */
  @Nullable DmaPlugin find(PluginFamily family, String name, Consumer<String> problem) {
    DmaPlugin plugin = named(family).get(name);
    if (plugin == null) {
      String artifact = family.artifact(name);
      problem.accept(
          artifact == null
              ? "unknown " + family.text() + " '" + name + "'" + Names.suggest(name, named(family).keySet())
              : family.text() + " '" + name + "' was not found; add artifact io.twostep:" + artifact
                  + " to the class path or module path");
    }
    return plugin;
  }

  /** Return the plugins of a family, by name. */
  Collection<DmaPlugin> all(PluginFamily family) {
    return named(family).values();
  }

  /** Return the Guice module a plugin comes with, or null. */
  @Nullable GuicePlugin moduleFor(DmaPlugin plugin) {
    Map<String, GuicePlugin> byName = modules.get(PluginFamily.of(plugin.kind()));
    return byName == null ? null : byName.get(plugin.name());
  }

  PluginListing listing() {
    List<PluginInfo> infos = new ArrayList<>();
    for (Map<String, DmaPlugin> family : plugins.values()) {
      family.values().forEach(plugin -> infos.add(info(plugin)));
    }
    infos.sort(Comparator.comparing(PluginInfo::kind).thenComparing(PluginInfo::name));
    return new PluginListing(infos, problems);
  }

  private static PluginInfo info(DmaPlugin plugin) {
    Origin origin = Origin.of(plugin.getClass());
    return new PluginInfo(
        plugin.name(),
        plugin.kind(),
        origin.version(),
        origin.module(),
        plugin.getClass().getName(),
        plugin.description(),
        List.copyOf(plugin.settings()));
  }

  private void add(DmaPlugin plugin) {
    List<String> faults = new ArrayList<>();
    try {
      check(plugin, faults);
    } catch (RuntimeException | LinkageError e) {
      faults.add("cannot be asked what it is: " + e);
    }
    if (faults.isEmpty()) {
      DmaPlugin earlier = named(PluginFamily.of(plugin.kind())).putIfAbsent(plugin.name(), plugin);
      if (earlier != null) {
        problems.add(
            "two " + PluginFamily.of(plugin.kind()).text() + "s are called '" + plugin.name() + "': "
                + Origin.text(earlier.getClass()) + " and " + Origin.text(plugin.getClass()) + "; leave one out");
      }
    }
    faults.forEach(fault -> problems.add("plugin " + Origin.text(plugin.getClass()) + ": " + fault));
  }

  private static void check(DmaPlugin plugin, List<String> faults) {
    if (plugin.spiVersion() != Spi.VERSION) {
      faults.add(
          "built for SPI version " + plugin.spiVersion() + ", this is version " + Spi.VERSION
              + "; rebuild it or use its matching release");
      return;
    }
    checkName(plugin.name(), "its name", faults);
    PluginFamily family = PluginFamily.of(plugin.kind());
    if (family == PluginFamily.BACKEND && DRIVER_PREFIX.equals(plugin.name())) {
      faults.add("the name 'driver' is taken: settings called driver.x go to drivers");
    }
    Set<String> settings = new HashSet<>();
    for (Setting setting : plugin.settings()) {
      checkName(setting.name(), "the name of a setting", faults);
      if (!settings.add(setting.name())) {
        faults.add("declares the setting '" + setting.name() + "' twice");
      }
      if (family == PluginFamily.DEVICE_MODEL && SlotSettings.NAMES.contains(setting.name())) {
        faults.add("the setting '" + setting.name() + "' of a device model is taken: it belongs to every slot");
      }
    }
  }

  private static void checkName(@Nullable String name, String what, List<String> faults) {
    if (name == null || !NAME.matcher(name).matches()) {
      faults.add(what + ", '" + name + "', must be of the form " + NAME.pattern());
    }
  }

  private void addModule(GuicePlugin module) {
    String where = "Guice module " + Origin.text(module.getClass());
    try {
      PluginFamily family = PluginFamily.of(module.kind());
      if (!named(family).containsKey(module.name())) {
        problems.add(where + " is for " + family.text() + " '" + module.name() + "', which was not found");
        return;
      }
      Map<String, GuicePlugin> byName = modules.get(family);
      GuicePlugin earlier = byName == null ? null : byName.putIfAbsent(module.name(), module);
      if (earlier != null) {
        problems.add(
            "two Guice modules are for " + family.text() + " '" + module.name() + "': "
                + Origin.text(earlier.getClass()) + " and " + Origin.text(module.getClass()) + "; leave one out");
      }
    } catch (RuntimeException | LinkageError e) {
      problems.add(where + " cannot be asked what it is for: " + e);
    }
  }

  private Map<String, DmaPlugin> named(PluginFamily family) {
    Map<String, DmaPlugin> byName = plugins.get(family);
    if (byName == null) {
      throw new IllegalStateException("no map for " + family);
    }
    return byName;
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    for (PluginSource.Opened source : opened) {
      try {
        source.close();
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
