package io.twostep.platform;

import static io.twostep.platform.FakePlugins.ADDRESS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.inject.AbstractModule;
import com.google.inject.Guice;
import com.google.inject.Inject;
import com.google.inject.Injector;
import com.google.inject.Key;
import com.google.inject.Module;
import com.google.inject.Scopes;
import com.google.inject.name.Names;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Settings;
import io.twostep.platform.FakePlugins.FakeDriver;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Plugins that bring their own Guice module, and programs that bring their own injector. */
class GuicePluginTest {
  private final FakePlugins fakes = new FakePlugins();

  private PlatformBuilder described(GuicePlugin... modules) {
    return Platform.builder(PluginSource.of(List.of(fakes.machine, fakes.flat, fakes.deep, fakes.disk, fakes.driver), List.of(modules)))
        .machine("fake")
        .device(ADDRESS, "disk", d -> d.backends("flat").set("flat.depth", "7"));
  }

  private static Module parts(ThrowingBinder binder) {
    return new AbstractModule() {
      @Override
      protected void configure() {
        binder.bind(binder());
      }
    };
  }

  @Test
  void aBackendIsPutTogetherByItsOwnModule() {
    GuicePlugin own = new Own("flat", DmaPlugin.Kind.TERMINAL, s -> parts(b -> {
      b.bind(FakePlugins.class).toInstance(fakes);
      b.bind(Backend.class).to(Assembled.class).in(Scopes.SINGLETON);
      b.bind(Assembled.class);
    }));
    try (Platform platform = described(own).build()) {
      platform.mapper(ADDRESS);
      assertThat(fakes.journal).contains("assembled depth 7 on fake", "attach assembled for " + ADDRESS).doesNotContain("make flat7");
    }
    assertThat(fakes.journal).containsOnlyOnce("close assembled");
  }

  @Test
  void whatAModuleMadeIsClosedWhenAnotherFails() {
    GuicePlugin own = new Own("flat", DmaPlugin.Kind.TERMINAL, s -> parts(b -> {
      b.bind(FakePlugins.class).toInstance(fakes);
      b.bind(Backend.class).to(Assembled.class).in(Scopes.SINGLETON);
      b.bind(Assembled.class);
    }));
    assertThatThrownBy(() -> described(own).device("0000:02:00.0", "disk", d -> d.backends("deep").set("deep.depth", "0")).build())
        .hasMessageContaining("backend 'deep{depth=0}': setting 'depth' of deep is '0'");
    assertThat(fakes.journal).containsOnlyOnce("close assembled").contains("close machine");
  }

  @Test
  void aModuleThatBindsNothingIsReported() {
    GuicePlugin own = new Own("flat", DmaPlugin.Kind.TERMINAL, s -> parts(b -> {}));
    assertThatThrownBy(() -> described(own).build())
        .isInstanceOf(PlatformException.class)
        .hasMessageContaining("No implementation for io.twostep.dma.spi.Backend was bound. (at device 0000:01:00.0: backend 'flat{depth=7}')");
  }

  @Test
  void implicitBindingsAreRefused() {
    GuicePlugin own = new Own("flat", DmaPlugin.Kind.TERMINAL, s -> parts(b -> b.bind(Backend.class).to(Assembled.class)));
    assertThatThrownBy(() -> described(own).build())
        .isInstanceOf(PlatformException.class)
        .hasMessageContaining("Explicit bindings are required");
  }

  @Test
  void aModuleThatRefusesItsSettingsIsReported() {
    GuicePlugin own = new Own("flat", DmaPlugin.Kind.TERMINAL, s -> {
      throw new IllegalArgumentException("depth 7 is unlucky");
    });
    assertThatThrownBy(() -> described(own).build())
        .hasMessage("the platform cannot be assembled: device 0000:01:00.0: backend 'flat{depth=7}': depth 7 is unlucky");
  }

  @Test
  void modulesForNobodyAndTwoModulesForOneAreReported() {
    GuicePlugin first = new Own("flat", DmaPlugin.Kind.TERMINAL, s -> parts(b -> {}));
    GuicePlugin lost = new Own("falt", DmaPlugin.Kind.LAYER, s -> parts(b -> {}));
    assertThatThrownBy(() -> described(first, first, lost).build())
        .hasMessageContaining("1. two Guice modules are for backend 'flat': io.twostep.platform.GuicePluginTest$Own in ")
        .hasMessageContaining(" is for backend 'falt', which was not found");
  }

  @Test
  void aDriverIsPutTogetherByItsOwnModule() {
    GuicePlugin own = new Own("disk", DmaPlugin.Kind.DRIVER, s -> parts(b -> {
      b.bind(FakePlugins.class).toInstance(fakes);
      b.bind(Driver.class).toProvider(AssembledDriver.class).in(Scopes.SINGLETON);
      b.bind(AssembledDriver.class);
    }));
    try (Platform platform = described(own).build()) {
      FakeDriver driver = platform.open(ADDRESS, FakeDriver.class);
      assertThat(driver.mapper).isSameAs(platform.mapper(ADDRESS));
      assertThat(fakes.journal).contains("assembled driver").doesNotContain("bind driver");
    }
    assertThat(fakes.journal).containsOnlyOnce("close driver");
  }

  @Test
  void aDriverOfAnotherTypeThanPromisedIsRefusedAndClosed() {
    GuicePlugin own = new Own("disk", DmaPlugin.Kind.DRIVER, s -> parts(b ->
        b.bind(Driver.class).toProvider(() -> new Driver() {
          @Override
          public void quiesce() {}

          @Override
          public void resume() {}

          @Override
          public void close() {
            fakes.journal.add("close stranger");
          }
        }).in(Scopes.SINGLETON)));
    try (Platform platform = described(own).build()) {
      assertThatThrownBy(() -> platform.open(ADDRESS, FakeDriver.class))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageMatching(
              "device 0000:01:00\\.0: the Guice module of driver 'disk' made a io\\.twostep\\.platform\\.GuicePluginTest\\$\\d+, which is no io\\.twostep\\.platform\\.FakePlugins\\$FakeDriver; bind what the plugin's type\\(\\) promises");
    }
    assertThat(fakes.journal).containsOnlyOnce("close stranger");
  }

  @Test
  void aProgramsOwnInjectorGetsThePlatformAndItsMappers() {
    try (Platform platform = described().build()) {
      Injector injector = Guice.createInjector(new PlatformModule(platform));
      assertThat(injector.getInstance(Platform.class)).isSameAs(platform);
      assertThat(injector.getInstance(Machine.class)).isSameAs(platform.machine());
      assertThat(injector.getInstance(PhysicalMemory.class)).isEqualTo(platform.memory());
      assertThat(fakes.journal).as("attached only when asked for").noneMatch(line -> line.startsWith("attach"));
      assertThat(injector.getInstance(Key.get(DmaMapper.class, Names.named(ADDRESS)))).isSameAs(platform.mapper(ADDRESS));
    }
  }

  /** Binds parts. */
  private interface ThrowingBinder {
    void bind(com.google.inject.Binder binder);
  }

  private record Own(String name, DmaPlugin.Kind kind, Function<Settings, Module> maker) implements GuicePlugin {
    @Override
    public Module module(Settings settings) {
      return maker.apply(settings);
    }
  }

  /** Makes a driver from injected parts. */
  static final class AssembledDriver implements com.google.inject.Provider<Driver> {
    private final FakePlugins fakes;
    private final DriverContext context;

    @Inject
    AssembledDriver(FakePlugins fakes, DriverContext context) {
      this.fakes = fakes;
      this.context = context;
    }

    @Override
    public Driver get() {
      fakes.journal.add("assembled driver");
      return fakes.new FakeDriver(context.attach(DeviceLimits.ofBits(48)), context.settings());
    }
  }

  /** A backend whose parts are injected. */
  static final class Assembled implements io.twostep.dma.spi.TerminalBackend {
    private final FakePlugins fakes;

    @Inject
    Assembled(FakePlugins fakes, Settings settings, Machine machine) {
      this.fakes = fakes;
      fakes.journal.add("assembled depth " + settings.number("depth") + " on " + machine.name());
    }

    @Override
    public String name() {
      return "assembled";
    }

    @Override
    public io.twostep.dma.spi.DmaOps attach(io.twostep.dma.spi.AttachContext context) {
      fakes.journal.add("attach assembled for " + context.device());
      return new FakeOps(fakes.journal, "assembled");
    }

    @Override
    public void close() {
      fakes.journal.add("close assembled");
    }
  }
}
