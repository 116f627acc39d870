package io.twostep.guest.kit;

import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MachinePlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import io.twostep.machine.linux.LinuxMachineConfig.Addressing;
import java.util.List;

/** Makes machines whose devices are real controllers in the kit's hands. */
public final class KitMachinePlugin implements MachinePlugin {
  static final String NAME = "vfio-probes";
  static final String ADDRESSING = "addressing";

  /** Create the plugin; ServiceLoader does. */
  public KitMachinePlugin() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "real controllers as probes of the conformance kit";
  }

  @Override
  public List<Setting> settings() {
    return List.of(new Setting(ADDRESSING, "translated", "translated or registered, as machine linux has it"));
  }

  @Override
  public Machine create(Settings settings) {
    return new KitMachine(ProbeHost.of(settings.choice(ADDRESSING, Addressing.class)));
  }
}
