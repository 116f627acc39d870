package io.twostep.machine.model;

import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MachinePlugin;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import io.twostep.dma.spi.TableFormat;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Makes modelled machines under the name {@code model}. */
public final class ModelMachinePlugin implements MachinePlugin {
  private static final Map<String, String> FORMATS = Map.of("vtd", TableFormat.VTD_SECOND_STAGE, "amd", TableFormat.AMD_V1);

  /** For ServiceLoader. */
  public ModelMachinePlugin() {}

  @Override
  public String name() {
    return "model";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "a machine in memory: RAM, PCI functions, translation hardware that can be adversarial, virtual time, all from one seed";
  }

  @Override
  public List<Setting> settings() {
    return List.of(
        new Setting("memory", "64GiB", "bytes of RAM, whole 4 KiB frames from 1 MiB to 1 TiB; only what is touched is stored"),
        new Setting("seed", "1", "where everything random comes from; the same seed repeats a run"),
        new Setting("directory", "", "where the sparse file behind RAM is made and at once deleted; empty for the temporary directory"),
        new Setting("iotlb", "normal", "translation caches: off, normal, or adversarial (may answer with anything valid since the last invalidation)"),
        new Setting("cache", "quiet", "CPU caches, for devices that do not snoop: quiet, or adversarial (write dirty lines back unasked)"),
        new Setting("formats", "vtd,amd", "table formats the IOMMU reads, preferred first: vtd, amd"),
        new Setting("address-bits", "57", "widest I/O address the IOMMU translates, 32..64; a slot may ask for less"),
        new Setting("smallest-page", "4K", "smallest leaf the IOMMU reads, a power of two from 4K on"),
        new Setting("largest-page", "1G", "largest leaf the IOMMU reads, a power of two"),
        new Setting("cost", "65,197,850", "simulated nanoseconds: of a translation miss, of each table read, of an invalidation"),
        new Setting("bus-bits", "64", "address bits the interconnect passes, 20..64"),
        new Setting("inbound", "", "where RAM appears to untranslated devices: phys:dma:length,... ; empty for the same addresses"),
        new Setting("time", "virtual", "virtual or real"),
        new Setting("step-nanos", "1000", "virtual nanoseconds that pass while devices work for a moment"),
        new Setting("order", "round-robin", "in which order models get their turns: round-robin or random"),
        new Setting("isolation", "true", "whether every function is a group of its own; false puts functions of one bus into one group"),
        new Setting(
            "tree",
            "",
            "host bridges, root ports and switches, so that devices reach each other: host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=01-0f; ...; empty for a flat machine"));
  }

  @Override
  public Machine create(Settings settings) {
    return ModelMachine.create(config(settings));
  }

  /** Return the configuration that settings describe. */
  static ModelMachineConfig config(Settings settings) {
    List<Long> cost = numbers("cost", settings.text("cost").split(",", -1), 3, "three numbers such as 65,197,850");
    String directory = settings.text("directory");
    return new ModelMachineConfig(
        settings.bytes("memory"),
        settings.number("seed"),
        Path.of(directory.isBlank() ? System.getProperty("java.io.tmpdir") : directory),
        settings.choice("iotlb", IotlbMode.class),
        settings.choice("cache", Cache.class) == Cache.ADVERSARIAL,
        formats(settings.text("formats")),
        settings.number("address-bits", 32, 64),
        settings.bytes("smallest-page"),
        settings.bytes("largest-page"),
        cost.get(0),
        cost.get(1),
        cost.get(2),
        settings.number("bus-bits", 20, 64),
        windows(settings.text("inbound")),
        settings.choice("time", Time.class) == Time.VIRTUAL,
        settings.number("step-nanos", 1, 1_000_000_000),
        settings.choice("order", Order.class) == Order.RANDOM,
        settings.flag("isolation"),
        settings.text("tree"));
  }

  private enum Cache {
    QUIET,
    ADVERSARIAL
  }

  private enum Time {
    VIRTUAL,
    REAL
  }

  private enum Order {
    ROUND_ROBIN,
    RANDOM
  }

  private static List<String> formats(String text) {
    List<String> names = new ArrayList<>();
    for (String word : text.split(",", -1)) {
      String name = FORMATS.get(word.trim());
      if (name == null) {
        throw new IllegalArgumentException("setting 'formats' of model is '" + text + "'; it must be a list of vtd and amd");
      }
      names.add(name);
    }
    return names;
  }

  private static List<OffsetWindow> windows(String text) {
    List<OffsetWindow> windows = new ArrayList<>();
    if (!text.isBlank()) {
      for (String word : text.split(",", -1)) {
        List<Long> n = numbers("inbound", word.split(":", -1), 3, "phys:dma:length triples such as 0x100000:0x80000000:0x40000000");
        windows.add(new OffsetWindow(n.get(0), n.get(1), n.get(2)));
      }
    }
    return windows;
  }

  private static List<Long> numbers(String setting, String[] words, int count, String form) {
    try {
      List<Long> numbers = new ArrayList<>();
      for (String word : words) {
        numbers.add(Long.decode(word.trim()));
      }
      if (numbers.size() == count) {
        return numbers;
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("setting '" + setting + "' of model must be " + form, e);
    }
    throw new IllegalArgumentException("setting '" + setting + "' of model must be " + form);
  }
}
