package io.twostep.platform;

import com.google.inject.AbstractModule;
import com.google.inject.Injector;
import com.google.inject.Key;
import com.google.inject.Module;
import com.google.inject.TypeLiteral;
import com.google.inject.multibindings.MapBinder;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.ModelHost;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.platform.PlatformPlan.PlannedBackend;
import io.twostep.platform.PlatformPlan.PlannedDevice;
import io.twostep.platform.PlatformPlan.PlannedModel;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Turns a description into a running platform, or into a list of problems with nothing left open. */
final class PlatformAssembly {
  private static final String TITLE = "the platform cannot be assembled";

  private final PluginCatalog catalog;
  private final List<String> problems = new ArrayList<>();
  private final CloseStack made = new CloseStack();
  private final InstanceFactory instances;

  PlatformAssembly(PluginCatalog catalog) {
    this.catalog = catalog;
    this.instances = new InstanceFactory(catalog, made::push, problems::add);
    made.push(catalog);
    problems.addAll(catalog.problems());
  }

  Platform assemble(@Nullable String machine, Map<String, String> machineSettings, List<DeviceDescription> devices) {
    try {
      PlatformPlanner planner = new PlatformPlanner(catalog, problems);
      PlatformPlan plan = planner.plan(machine, machineSettings, devices);
      throwProblems();
      problems.addAll(planner.valueProblems());
      return build(Objects.requireNonNull(plan));
    } catch (RuntimeException | Error e) {
      made.closeAll(e);
      throw e;
    }
  }

  /** Check a description and close what discovery opened. */
  void check(@Nullable String machine, Map<String, String> machineSettings, List<DeviceDescription> devices) {
    PlatformPlanner planner = new PlatformPlanner(catalog, problems);
    planner.plan(machine, machineSettings, devices);
    problems.addAll(planner.valueProblems());
    PlatformException wrong = new PlatformException(TITLE, problems);
    made.closeAll(wrong);
    if (!problems.isEmpty() || wrong.getSuppressed().length != 0) {
      throw wrong;
    }
  }

  private void throwProblems() {
    if (!problems.isEmpty()) {
      throw new PlatformException(TITLE, problems);
    }
  }

  /** Make everything; what refuses its values does not keep the rest from being asked. */
  private Platform build(PlatformPlan plan) {
    Machine made = machine(plan);
    Map<String, DeviceModel> models = new LinkedHashMap<>();
    Map<String, Backend> backends = new LinkedHashMap<>();
    boolean whole = makeParts(plan, made, models, backends);
    if (made != null && !whole) {
      tryAddresses(made, plan);
    }
    if (made == null || !whole) {
      throwProblems();
    }
    Machine machine = Objects.requireNonNull(made);
    List<PlatformDevice> devices = new ArrayList<>();
    for (PlannedDevice device : plan.devices()) {
      DeviceModel model = models.get(device.address());
      DeviceSlot slot = slot(machine, device, model);
      if (slot != null) {
        devices.add(new PlatformDevice(device, machine, slot, model, used(device, backends), stack(device, backends)));
      }
    }
    throwProblems();
    checkGroups(machine, devices);
    throwProblems();
    return new Platform(catalog, machine, List.copyOf(backends.values()), devices);
  }

  private @Nullable Machine machine(PlatformPlan plan) {
    String name = plan.machine().name();
    Key<Machine> key = InstanceFactory.key(Machine.class, name);
    Module module =
        instances.module(
            key, Machine.class, plan.machine(), plan.machineSettings(), "machine '" + name + "'",
            () -> plan.machine().create(plan.machineSettings()));
    Injector injector = module == null ? null : InjectorPolicy.create(List.of(module), problems::add);
    if (injector == null) {
      return null;
    }
    Machine machine = injector.getInstance(key);
    made.push(machine);
    return machine;
  }

  /**
   * Make models, where the machine takes them, and backends: one injector, so that one look finds every problem.
   *
   * @param machine null if it could not be made: then parts that may need it are left out, and the others still say what they think of their values
   * @return whether everything was made
   */
  private boolean makeParts(
      PlatformPlan plan, @Nullable Machine machine, Map<String, DeviceModel> models, Map<String, Backend> backends) {
    int before = problems.size();
    Map<String, Key<DeviceModel>> modelKeys = new LinkedHashMap<>();
    Map<String, Key<Backend>> backendKeys = new LinkedHashMap<>();
    List<Module> modules = new ArrayList<>();
    for (PlannedDevice device : plan.devices()) {
      PlannedModel model = device.model();
      if (model != null && (machine == null ? isFreeOfMachine(model.plugin()) : machine instanceof ModelHost)) {
        Key<DeviceModel> key = InstanceFactory.key(DeviceModel.class, device.address());
        Module module =
            instances.module(
                key, DeviceModel.class, model.plugin(), model.settings(), "device " + device.address(),
                () -> model.plugin().create(model.settings()));
        if (module != null) {
          modelKeys.put(device.address(), key);
          modules.add(module);
        }
      }
    }
    for (PlannedBackend backend : plan.backends()) {
      if (machine == null && !isFreeOfMachine(backend.plugin())) {
        continue;
      }
      Key<Backend> key = InstanceFactory.key(Backend.class, backend.key());
      Module module =
          instances.module(
              key, Backend.class, backend.plugin(), backend.settings(), plan.users(backend) + ": backend '" + backend.key() + "'",
              () -> backend.plugin().create(backend.settings()));
      if (module != null) {
        backendKeys.put(backend.key(), key);
        modules.add(module);
      }
    }
    modules.add(new PartsModule(machine, modelKeys, backendKeys));
    Injector created = InjectorPolicy.create(modules, problems::add);
    if (created == null) {
      return false;
    }
    models.putAll(created.getInstance(Key.get(new TypeLiteral<Map<String, DeviceModel>>() {})));
    backends.putAll(created.getInstance(Key.get(new TypeLiteral<Map<String, Backend>>() {})));
    models.values().forEach(made::push);
    backends.values().forEach(made::push);
    if (machine != null && problems.size() == before) {
      plan.backends().forEach(backend -> checkKind(backend, Objects.requireNonNull(backends.get(backend.key()))));
    }
    return problems.size() == before;
  }

  /** A plugin's own Guice module may inject the machine; a factory method cannot. */
  private boolean isFreeOfMachine(DmaPlugin plugin) {
    return catalog.moduleFor(plugin) == null;
  }

  /** Find out what is wrong with places in a machine that will be closed at once, because something else is wrong. */
  private void tryAddresses(Machine machine, PlatformPlan plan) {
    for (PlannedDevice device : plan.devices()) {
      slot(machine, device, device.model() == null ? null : new VacantModel());
    }
  }

  private void checkKind(PlannedBackend planned, Backend backend) {
    if (planned.plugin().layer() != backend instanceof LayerBackend) {
      problems.add(
          "backend '" + planned.key() + "': plugin " + Origin.text(planned.plugin().getClass()) + " says it makes a "
              + planned.plugin().kind().text() + " and made " + backend.getClass().getName());
    }
  }

  private @Nullable DeviceSlot slot(Machine machine, PlannedDevice device, @Nullable DeviceModel model) {
    String where = "device " + device.address() + ": ";
    try {
      if (model != null && machine instanceof ModelHost host) {
        DeviceSlot slot = host.plug(new DeviceAddress(device.address()), model, device.options());
        made.forget(model);
        return slot;
      }
      DeviceSlot slot = machine.slot(new DeviceAddress(device.address()));
      refuseModelSettings(machine, device);
      return slot;
    } catch (RuntimeException e) {
      problems.add(where + (e.getMessage() == null ? e.toString() : e.getMessage()));
      return null;
    }
  }

  private void refuseModelSettings(Machine machine, PlannedDevice device) {
    List<String> useless = new ArrayList<>(device.slotSettings());
    device.description().settings().keySet().stream()
        .filter(name -> name.indexOf('.') < 0 && !useless.contains(name))
        .forEach(useless::add);
    if (!useless.isEmpty()) {
      problems.add(
          "device " + device.address() + ": settings " + useless + " describe a modelled device, and this one is in machine '"
              + machine.name() + "' already; leave them out");
    }
  }

  private static List<Backend> used(PlannedDevice device, Map<String, Backend> backends) {
    return device.stack().stream().map(key -> Objects.requireNonNull(backends.get(key))).toList();
  }

  private static DmaStack stack(PlannedDevice device, Map<String, Backend> backends) {
    List<LayerBackend> layers = new ArrayList<>();
    TerminalBackend terminal = null;
    for (Backend backend : used(device, backends)) {
      switch (backend) {
        case LayerBackend layer -> layers.add(layer);
        case TerminalBackend last -> terminal = last;
      }
    }
    return DmaStack.of(Objects.requireNonNull(terminal), layers);
  }

  /** One address space has one owner of its tables: devices of a group end in the same instance. */
  private void checkGroups(Machine machine, List<PlatformDevice> devices) {
    IdentityHashMap<AddressSpace, PlatformDevice> first = new IdentityHashMap<>();
    for (PlatformDevice device : devices) {
      AddressSpace space = machine.addressSpaceFor(device.slot());
      PlatformDevice other = first.putIfAbsent(space, device);
      if (other != null && other.terminal() != device.terminal()) {
        problems.add(
            "devices " + other.address() + " and " + device.address() + " share the address space of " + space.name()
                + " and must end in the same backend with the same settings, not in " + other.terminalKey() + " and "
                + device.terminalKey());
      }
    }
  }

  /** Links the instances into the two maps; nobody else writes them. */
  private static final class PartsModule extends AbstractModule {
    private final @Nullable Machine machine;
    private final Map<String, Key<DeviceModel>> models;
    private final Map<String, Key<Backend>> backends;

    PartsModule(@Nullable Machine machine, Map<String, Key<DeviceModel>> models, Map<String, Key<Backend>> backends) {
      this.machine = machine;
      this.models = models;
      this.backends = backends;
    }

    @Override
    protected void configure() {
      if (machine != null) {
        bind(Machine.class).toInstance(machine);
      }
      MapBinder<String, DeviceModel> modelMap = MapBinder.newMapBinder(binder(), String.class, DeviceModel.class);
      models.forEach((address, key) -> modelMap.addBinding(address).to(key));
      MapBinder<String, Backend> backendMap = MapBinder.newMapBinder(binder(), String.class, Backend.class);
      backends.forEach((name, key) -> backendMap.addBinding(name).to(key));
    }
  }
}
