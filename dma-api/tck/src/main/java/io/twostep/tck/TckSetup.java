package io.twostep.tck;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MachinePlugin;
import io.twostep.dma.spi.ModelHost;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;

/**
 * The world a stack is proved in: a machine, found by name, and how the device stands in it. Immutable.
 *
 * @param machine name of a machine plugin whose machine hosts device models
 * @param machineSettings settings of the machine, beside what the kit asks for where the machine has it: 256 MiB and caches that answer as unkindly as
 *     hardware may
 * @param device how the device stands
 * @param limits what the device can address and digest
 * @param hostGranule granule of the host that keeps the translations, bytes, a power of two; 0 for tables in memory
 * @param writersRead whether that host lets devices read what they may write, as kernels do whose page tables cannot say write-only
 * @param firstBus number of the bus that the device is on; what is plugged later gets the buses behind it, device 0 of each
 */
public record TckSetup(
    String machine, Map<String, String> machineSettings, SlotOptions device, DeviceLimits limits, long hostGranule, boolean writersRead, int firstBus) {
  private static final Map<String, String> ASKED_FOR =
      Map.of("memory", "256MiB", "iotlb", "adversarial", "cache", "adversarial", "seed", "7");

  public TckSetup {
    machineSettings = Map.copyOf(machineSettings);
  }

  /** Return a trusted, coherent device behind an IOMMU whose tables the backend writes. */
  public static TckSetup translated() {
    return new TckSetup("model", Map.of(), SlotOptions.DEFAULT, DeviceLimits.UNLIMITED, 0, false, 1);
  }

  /** Return a trusted, coherent device that nothing translates for. */
  public static TckSetup untranslated() {
    return translated().withDevice(SlotOptions.DEFAULT.withTranslation(Translation.NONE));
  }

  /** Return a copy with another {@link #machine}. */
  public TckSetup withMachine(String name) {
    return new TckSetup(name, machineSettings, device, limits, hostGranule, writersRead, firstBus);
  }

  /** Return a copy with one more setting of the machine. */
  public TckSetup withMachineSetting(String name, String value) {
    Map<String, String> more = new HashMap<>(machineSettings);
    more.put(name, value);
    return new TckSetup(machine, more, device, limits, hostGranule, writersRead, firstBus);
  }

  /** Return a copy with another {@link #device}. */
  public TckSetup withDevice(SlotOptions other) {
    return new TckSetup(machine, machineSettings, other, limits, hostGranule, writersRead, firstBus);
  }

  /** Return a copy with other {@link #limits}. */
  public TckSetup withLimits(DeviceLimits other) {
    return new TckSetup(machine, machineSettings, device, other, hostGranule, writersRead, firstBus);
  }

  /** Tell whether a host keeps the translations. */
  public boolean hostManaged() {
    return hostGranule != 0;
  }

  /** Return a copy whose translations a host keeps, in granules of 4 KiB. */
  public TckSetup byHost() {
    return byHost(4096);
  }

  /** Return a copy whose translations a host keeps, in granules of so many bytes, a power of two. */
  public TckSetup byHost(long granule) {
    return new TckSetup(machine, machineSettings, device, limits, granule, writersRead, firstBus);
  }

  /** Return a copy whose translations a host keeps that lets devices read what they may write, in granules of 4 KiB. */
  public TckSetup byHostWhereWritersRead() {
    return new TckSetup(machine, machineSettings, device, limits, 4096, true, firstBus);
  }

  /** Return a copy whose device is on another bus, where the machine's tree has a port for it; see {@link #firstBus}. */
  public TckSetup onBus(int number) {
    return new TckSetup(machine, machineSettings, device, limits, hostGranule, writersRead, number);
  }

  /** Return a copy whose machine draws from another seed, if it has one. */
  TckSetup withMachineSeed(long seed) {
    boolean seeded = find(machine).settings().stream().anyMatch(setting -> setting.name().equals("seed"));
    return seeded ? withMachineSetting("seed", Long.toString(seed)) : this;
  }

  /** Return a copy whose machine has a bus that passes so many address bits; this very one where the machine has no such setting. */
  TckSetup withBusBits(int bits) {
    boolean narrows = find(machine).settings().stream().anyMatch(setting -> setting.name().equals("bus-bits"));
    return narrows ? withMachineSetting("bus-bits", Integer.toString(bits)) : this;
  }

  /** Return a copy whose machine's caches answer as hardware usually does, for tests that measure. */
  TckSetup calm() {
    Map<String, String> calm = new HashMap<>(machineSettings);
    for (Setting setting : find(machine).settings()) {
      if (setting.name().equals("iotlb") || setting.name().equals("cache")) {
        calm.put(setting.name(), setting.defaultValue());
      }
    }
    return new TckSetup(machine, calm, device, limits, hostGranule, writersRead, firstBus);
  }

  /** Make the machine; a {@code still} one has a clock that does not move. */
  TckMachine create(boolean still) {
    MachinePlugin plugin = find(machine);
    Map<String, String> given = new TreeMap<>();
    for (Setting setting : plugin.settings()) {
      if (ASKED_FOR.containsKey(setting.name())) {
        given.put(setting.name(), ASKED_FOR.get(setting.name()));
      }
    }
    given.putAll(machineSettings);
    Machine made = plugin.create(Settings.of(plugin, given));
    if (!(made instanceof ModelHost host)) {
      made.close();
      throw new IllegalStateException("machine '" + machine + "' hosts no device models, and the kit needs to be the device");
    }
    return new TckMachine(host, hostGranule, writersRead, firstBus, still);
  }

  private static MachinePlugin find(String name) {
    List<MachinePlugin> found =
        ServiceLoader.load(DmaPlugin.class, TckSetup.class.getClassLoader()).stream()
            .map(ServiceLoader.Provider::get)
            .filter(MachinePlugin.class::isInstance)
            .map(MachinePlugin.class::cast)
            .toList();
    return found.stream()
        .filter(plugin -> plugin.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalStateException(
                    "no machine '" + name + "' is on the path, only " + found.stream().map(MachinePlugin::name).sorted().toList()
                        + "; add twostep-machine-model to the tests"));
  }
}
