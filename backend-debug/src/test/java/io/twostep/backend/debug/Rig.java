package io.twostep.backend.debug;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.FlushPolicy;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachinePlugin;
import io.twostep.machine.model.ProbeDevice;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A modelled machine with a probe device below the checker, and more of them on request. */
final class Rig implements AutoCloseable {
  static final String ADDRESS = "0000:01:00.0";
  static final long PAGE = 4096;
  static final DebugConfig QUIET = DebugConfig.defaults().withOnError(OnError.COUNT);

  final ModelMachine machine;
  final ProbeDevice device = new ProbeDevice();
  final DeviceSlot slot;
  final DebugBackend checker;
  final TerminalBackend terminal;
  final DmaStack stack;
  final DmaMapper mapper;
  private final SlotOptions options;
  private final List<MemoryBlock> blocks = new ArrayList<>();

  Rig(boolean translated, DebugConfig config, SlotOptions options, DeviceLimits limits, LayerBackend... below) {
    this(Map.of(), ADDRESS, translated ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend(), config, options, limits, below);
  }

  /** Set up a machine with settings of its own, such as a tree, and the device at an address of it; an IOMMU stands before it if the terminal is one's. */
  Rig(
      Map<String, String> settings,
      String address,
      TerminalBackend terminal,
      DebugConfig config,
      SlotOptions options,
      DeviceLimits limits,
      LayerBackend... below) {
    Map<String, String> all = new HashMap<>(settings);
    all.put("memory", "64M");
    ModelMachinePlugin plugin = new ModelMachinePlugin();
    machine = (ModelMachine) plugin.create(Settings.of(plugin, all));
    this.options = options.withTranslation(terminal instanceof DirectBackend ? Translation.NONE : Translation.TRANSLATED);
    slot = plug(address, device);
    this.terminal = terminal;
    checker = new DebugBackend(config);
    List<LayerBackend> layers = new ArrayList<>(List.of(checker));
    Collections.addAll(layers, below);
    stack = DmaStack.of(terminal, layers);
    mapper = stack.attach(machine, slot, limits);
  }

  /** Plug a device that stands as the first one does. */
  DeviceSlot plug(String address, DeviceModel another) {
    DeviceSlot plugged = machine.plug(new DeviceAddress(address), another, options);
    plugged.busMaster(true);
    return plugged;
  }

  /** Behind an IOMMU. */
  static Rig translated(LayerBackend... below) {
    return new Rig(true, QUIET, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED, below);
  }

  /** Behind an IOMMU with a lazy or strict terminal, and 256 pages of I/O addresses. */
  static Rig narrow(FlushPolicy flush, LayerBackend... below) {
    IommuBackend terminal = new IommuBackend(IommuConfig.defaults().withFlush(flush));
    return new Rig(Map.of(), ADDRESS, terminal, QUIET, SlotOptions.DEFAULT, DeviceLimits.ofBits(20), below);
  }

  /** Where nothing translates. */
  static Rig direct(LayerBackend... below) {
    return new Rig(false, QUIET, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED, below);
  }

  MemoryBlock allocate(long length) {
    MemoryBlock block = machine.memory().allocate(length, MemoryPlacement.CONTIGUOUS);
    blocks.add(block);
    return block;
  }

  /** Return the one report there is, which must be of a rule, name the device, and show both stacks if {@code earlier} was to be known. */
  Report only(Rule rule, boolean earlier) {
    assertThat(reports()).as("reports").hasSize(1);
    return check(reports().getFirst(), rule, earlier);
  }

  /** Return the first report of a rule; others may have followed from it. */
  Report one(Rule rule, boolean earlier) {
    List<Report> found = reports().stream().filter(report -> report.rule() == rule).toList();
    assertThat(found).as("reports of %s among %s", rule, reports()).isNotEmpty();
    return check(found.getFirst(), rule, earlier);
  }

  private static Report check(Report report, Rule rule, boolean earlier) {
    assertThat(report.rule()).as("%s", report.headline()).isEqualTo(rule);
    assertThat(report.device()).isEqualTo(ADDRESS);
    assertThat(report.headline()).startsWith(rule + ": " + ADDRESS + ": ").contains(rule.remedy()).contains("[" + rule.reference() + "]");
    if (rule.group() != Rule.Group.DEVICE && report.here() != null) {
      assertThat(report.text(12)).contains("now: ");
    }
    Origin before = report.earlier();
    if (earlier) {
      assertThat(before).as("earlier: %s", report.headline()).isNotNull();
      assertThat(report.text(12)).contains("earlier: ").contains("Test.");
    } else {
      assertThat(before).isNull();
    }
    return report;
  }

  List<Report> reports() {
    return checker.reports(Integer.MAX_VALUE);
  }

  static void ignore(@Nullable Object ignored) {}

  @Override
  public void close() {
    machine.close();
  }
}
