package io.twostep.backend.debug;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
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
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A modelled machine with one probe device below the checker. */
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
  private final List<MemoryBlock> blocks = new ArrayList<>();

  Rig(boolean translated, DebugConfig config, SlotOptions options, DeviceLimits limits, LayerBackend... below) {
    ModelMachinePlugin plugin = new ModelMachinePlugin();
    machine = (ModelMachine) plugin.create(Settings.of(plugin, Map.of("memory", "64M")));
    slot = machine.plug(new DeviceAddress(ADDRESS), device, options.withTranslation(translated ? Translation.TRANSLATED : Translation.NONE));
    slot.busMaster(true);
    terminal = translated ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend();
    checker = new DebugBackend(config);
    List<LayerBackend> layers = new ArrayList<>(List.of(checker));
    Collections.addAll(layers, below);
    stack = DmaStack.of(terminal, layers);
    mapper = stack.attach(machine, slot, limits);
  }

  /** Behind an IOMMU. */
  static Rig translated(LayerBackend... below) {
    return new Rig(true, QUIET, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED, below);
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
