package io.twostep.machine.linux;

import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MachinePlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Makes the machine {@code linux}: this computer, through VFIO. */
public final class LinuxMachinePlugin implements MachinePlugin {
  /** Create the plugin; ServiceLoader does. */
  public LinuxMachinePlugin() {}

  @Override
  public String name() {
    return "linux";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "this computer: PCI devices through VFIO, behind its IOMMU";
  }

  @Override
  public List<Setting> settings() {
    return List.of(
        new Setting("memory", "256M", "memory to hand out, in bytes"),
        new Setting("pages", "4K", "pages that the memory is made of: 4K, 2M or 1G"),
        new Setting("shared", "false", "whether another process can be given the memory by descriptor"),
        new Setting("memory-file", "", "new or empty file that holds the memory; empty for none"),
        new Setting("addressing", "translated", "translated: the IOMMU maps per request; registered: all memory is pinned and mapped once"),
        new Setting("trusted", "true", "whether devices are trusted to behave"),
        new Setting("vectors", "64", "most interrupt vectors of a device that are used, 1 to 2048"));
  }

  @Override
  public Machine create(Settings settings) {
    return LinuxMachine.open(
        new LinuxMachineConfig(
            settings.bytes("memory"),
            settings.bytes("pages"),
            settings.flag("shared"),
            settings.text("memory-file"),
            settings.choice("addressing", LinuxMachineConfig.Addressing.class),
            settings.flag("trusted"),
            settings.number("vectors", 1, 2048),
            HostPaths.USUAL));
  }
}
