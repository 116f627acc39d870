package io.twostep.platform;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceModelPlugin;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.DriverPlugin;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MachinePlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import io.twostep.dma.spi.TerminalBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/** Plugins of every kind that write what happens to them into one journal. */
final class FakePlugins {
  static final String ADDRESS = "0000:01:00.0";

  final List<String> journal = new ArrayList<>();
  final MachinePlugin machine = new FakeMachinePlugin("fake", s -> new FakeMachine.Host(journal));
  final BackendPlugin flat = new FakeBackendPlugin("flat", false, Set.of());
  final BackendPlugin deep = new FakeBackendPlugin("deep", false, Set.of());
  final BackendPlugin outer = new FakeBackendPlugin("outer", true, Set.of("inner"));
  final BackendPlugin inner = new FakeBackendPlugin("inner", true, Set.of());
  final DeviceModelPlugin disk = new FakeModelPlugin("disk");
  final FakeDriverPlugin driver = new FakeDriverPlugin("disk");

  PluginSource source() {
    return PluginSource.of(machine, flat, deep, outer, inner, disk, driver);
  }

  /** A description with everything right. */
  PlatformBuilder described() {
    return Platform.builder(source()).machine("fake").device(ADDRESS, "disk", d -> d.backends("flat"));
  }

  /** A machine plugin with any way to make a machine. */
  record FakeMachinePlugin(String name, Function<Settings, Machine> maker) implements MachinePlugin {
    @Override
    public int spiVersion() {
      return Spi.VERSION;
    }

    @Override
    public List<Setting> settings() {
      return List.of(new Setting("memory", "1G", "bytes of memory"));
    }

    @Override
    public String description() {
      return "a machine that remembers";
    }

    @Override
    public Machine create(Settings settings) {
      settings.bytes("memory");
      return maker.apply(settings);
    }
  }

  /** A backend plugin that makes what it says. */
  class FakeBackendPlugin implements BackendPlugin {
    private final String name;
    private final boolean layer;
    private final Set<String> inside;

    FakeBackendPlugin(String name, boolean layer, Set<String> inside) {
      this.name = name;
      this.layer = layer;
      this.inside = inside;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public int spiVersion() {
      return Spi.VERSION;
    }

    @Override
    public List<Setting> settings() {
      return List.of(
          new Setting("depth", "1", "levels, 1 to 9"), new Setting("stays-open", "false", "whether closing it fails"));
    }

    @Override
    public String description() {
      return "a backend that remembers";
    }

    @Override
    public boolean layer() {
      return layer;
    }

    @Override
    public Set<String> mustLieAbove() {
      return inside;
    }

    @Override
    public Backend create(Settings settings) {
      String label = name + settings.number("depth", 1, 9);
      boolean staysOpen = settings.flag("stays-open");
      journal.add("make " + label);
      return layer ? new FakeLayer(label) : new FakeTerminal(label, staysOpen);
    }
  }

  /** A terminal that maps addresses to themselves. */
  final class FakeTerminal implements TerminalBackend {
    private final String label;
    private final boolean staysOpen;

    FakeTerminal(String label, boolean staysOpen) {
      this.label = label;
      this.staysOpen = staysOpen;
    }

    @Override
    public DmaOps attach(AttachContext context) {
      journal.add("attach " + label + " for " + context.device());
      return new FakeOps(journal, label);
    }

    @Override
    public String name() {
      return label;
    }

    @Override
    public void close() {
      journal.add("close " + label);
      if (staysOpen) {
        throw new IllegalStateException(label + " stays open");
      }
    }
  }

  /** A layer with nothing to do. */
  final class FakeLayer implements LayerBackend {
    private final String label;

    FakeLayer(String label) {
      this.label = label;
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      journal.add("attach " + label + " for " + context.device());
      return next;
    }

    @Override
    public String name() {
      return label;
    }

    @Override
    public void close() {
      journal.add("close " + label);
    }
  }

  /** Makes models without registers. */
  final class FakeModelPlugin implements DeviceModelPlugin {
    private final String name;

    FakeModelPlugin(String name) {
      this.name = name;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public int spiVersion() {
      return Spi.VERSION;
    }

    @Override
    public List<Setting> settings() {
      return List.of(new Setting("file", "", "path of the backing file"));
    }

    @Override
    public String description() {
      return "a disk that remembers";
    }

    @Override
    public DeviceModel create(Settings settings) {
      if (settings.text("file").equals("missing")) {
        throw new IllegalArgumentException("setting 'file' of disk is 'missing'; there is no such file");
      }
      journal.add("make model");
      return new FakeModel();
    }
  }

  /** A model without registers. */
  final class FakeModel implements DeviceModel {
    @Override
    public Identity identity() {
      return new Identity(1, 2, 0x010802, 0);
    }

    @Override
    public List<BarSpec> bars() {
      return List.of();
    }

    @Override
    public int vectors() {
      return 0;
    }

    @Override
    public void connect(BusMaster bus, Signals signals) {}

    @Override
    public long read(int bar, long offset, int width) {
      return -1;
    }

    @Override
    public void write(int bar, long offset, int width, long value) {}

    @Override
    public void reset() {}

    @Override
    public boolean step(int budget) {
      return false;
    }

    @Override
    public void close() {
      journal.add("close model");
    }
  }

  /** What users of the fake driver call. */
  final class FakeDriver implements Driver {
    final DmaMapper mapper;
    final Settings settings;
    RuntimeException closeFailure;

    FakeDriver(DmaMapper mapper, Settings settings) {
      this.mapper = mapper;
      this.settings = settings;
    }

    @Override
    public void quiesce() {
      journal.add("quiesce");
    }

    @Override
    public void resume() {
      journal.add("resume");
    }

    @Override
    public void close() {
      journal.add("close driver");
      if (closeFailure != null) {
        throw closeFailure;
      }
    }
  }

  /** Binds fake drivers. */
  final class FakeDriverPlugin implements DriverPlugin<FakeDriver> {
    private final String name;
    boolean matches = true;
    boolean bindsNothing;
    RuntimeException bindFailure;

    FakeDriverPlugin(String name) {
      this.name = name;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public int spiVersion() {
      return Spi.VERSION;
    }

    @Override
    public List<Setting> settings() {
      return List.of(new Setting("queues", "1", "queue pairs"));
    }

    @Override
    public String description() {
      return "a driver that remembers";
    }

    @Override
    public Class<FakeDriver> type() {
      return FakeDriver.class;
    }

    @Override
    public boolean matches(DeviceSlot slot) {
      return matches;
    }

    @Override
    public FakeDriver bind(DriverContext context) {
      DmaMapper mapper = context.attach(DeviceLimits.ofBits(48));
      if (bindFailure != null) {
        throw bindFailure;
      }
      journal.add("bind driver");
      return bindsNothing ? null : new FakeDriver(mapper, context.settings());
    }
  }

  /** A plugin that was built for another SPI. */
  static final class OldPlugin implements MachinePlugin {
    @Override
    public String name() {
      return "old";
    }

    @Override
    public int spiVersion() {
      return Spi.VERSION - 1;
    }

    @Override
    public String description() {
      return "a machine of the past";
    }

    @Override
    public Machine create(Settings settings) {
      throw new AssertionError("must not be asked");
    }
  }

  static List<DmaPlugin> plugins(DmaPlugin... plugins) {
    return List.of(plugins);
  }
}
