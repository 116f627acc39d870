package io.twostep.platform;

import com.google.inject.AbstractModule;
import com.google.inject.Injector;
import com.google.inject.Key;
import com.google.inject.Module;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.DriverPlugin;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.Settings;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/** Finds the driver for a type and a device, and binds it. */
final class DriverBinding {
  private final PluginCatalog catalog;
  private final Machine machine;
  private final PlatformDevice device;

  DriverBinding(PluginCatalog catalog, Machine machine, PlatformDevice device) {
    this.catalog = catalog;
    this.machine = machine;
    this.device = device;
  }

  Driver bind(Class<? extends Driver> type) {
    DriverPlugin<?> plugin = plugin(type);
    Settings settings = named(plugin, () -> Settings.of(plugin, device.driverSettings()));
    if (catalog.moduleFor(plugin) != null) {
      return inject(plugin, settings);
    }
    Driver driver = named(plugin, () -> plugin.bind(new Context(settings)));
    if (driver == null) {
      throw new IllegalStateException("device " + device.address() + ": driver '" + plugin.name() + "' made nothing: bind returned null");
    }
    return driver;
  }

  /** Say whose settings they are: the settings, and drivers that read them, know their names alone. */
  private <T> T named(DriverPlugin<?> plugin, Supplier<T> call) {
    try {
      return call.get();
    } catch (IllegalArgumentException e) {
      String said = String.valueOf(e.getMessage());
      throw said.contains(device.address()) ? e : new IllegalArgumentException("device " + device.address() + ": driver '" + plugin.name() + "': " + said, e);
    }
  }

  private DriverPlugin<?> plugin(Class<? extends Driver> type) {
    List<DriverPlugin<?>> offered = new ArrayList<>();
    List<String> found = new ArrayList<>();
    for (DmaPlugin plugin : catalog.all(PluginFamily.DRIVER)) {
      DriverPlugin<?> driver = (DriverPlugin<?>) plugin;
      found.add(driver.name() + " (" + driver.type().getName() + ")");
      if (type.isAssignableFrom(driver.type())) {
        offered.add(driver);
      }
    }
    if (offered.isEmpty()) {
      throw new IllegalArgumentException("no driver offers " + type.getName() + "; found: " + found);
    }
    List<DriverPlugin<?>> fitting = offered.stream().filter(driver -> driver.matches(device.slot())).toList();
    if (fitting.isEmpty()) {
      int id = device.slot().deviceId();
      throw new IllegalArgumentException(
          "device %s (%04x:%04x, class code 0x%06x) is not a device for %s"
              .formatted(device.address(), id & 0xffff, id >>> 16, device.slot().classCode(), offered.stream().map(DmaPlugin::name).toList()));
    }
    if (fitting.size() > 1) {
      throw new IllegalArgumentException(
          "device " + device.address() + ": drivers " + fitting.stream().map(DmaPlugin::name).toList() + " all offer "
              + type.getName() + "; ask for the exact type of one");
    }
    return fitting.getFirst();
  }

  private Driver inject(DriverPlugin<?> plugin, Settings settings) {
    CloseStack made = new CloseStack();
    List<String> problems = new ArrayList<>();
    try {
      Key<Driver> key = InstanceFactory.key(Driver.class, device.address());
      Context context = new Context(settings);
      String what = "device " + device.address();
      Module module =
          new InstanceFactory(catalog, made::push, problems::add)
              .module(key, Driver.class, plugin, settings, what, () -> plugin.bind(context));
      Injector injector =
          module == null ? null : InjectorPolicy.create(List.of(module, new ContextModule(machine, context)), problems::add);
      if (!problems.isEmpty()) {
        throw new PlatformException("driver '" + plugin.name() + "' cannot be bound", problems);
      }
      Driver driver = Objects.requireNonNull(injector).getInstance(key);
      if (!plugin.type().isInstance(driver)) {
        throw new IllegalStateException(
            what + ": the Guice module of driver '" + plugin.name() + "' made a " + driver.getClass().getName() + ", which is no " + plugin.type().getName()
                + "; bind what the plugin's type() promises");
      }
      return driver;
    } catch (RuntimeException | Error e) {
      made.closeAll(e);
      throw e;
    }
  }

  /** What a driver's own module may inject beside its settings. */
  private static final class ContextModule extends AbstractModule {
    private final Machine machine;
    private final DriverContext context;

    ContextModule(Machine machine, DriverContext context) {
      this.machine = machine;
      this.context = context;
    }

    @Override
    protected void configure() {
      bind(Machine.class).toInstance(machine);
      bind(DriverContext.class).toInstance(context);
    }
  }

  /** The driver's view of the platform. */
  private final class Context implements DriverContext {
    private final Settings settings;

    Context(Settings settings) {
      this.settings = settings;
    }

    @Override
    public DeviceSlot slot() {
      return device.slot();
    }

    @Override
    public Machine machine() {
      return machine;
    }

    @Override
    public Settings settings() {
      return settings;
    }

    @Override
    public DmaMapper attach(DeviceLimits limits) {
      return device.attach(limits);
    }
  }
}
