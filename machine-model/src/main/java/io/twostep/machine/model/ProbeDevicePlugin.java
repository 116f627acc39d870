package io.twostep.machine.model;

import io.twostep.dma.spi.DeviceModelPlugin;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;

/** Makes probes under the name {@code probe}. */
public final class ProbeDevicePlugin implements DeviceModelPlugin {
  /** For ServiceLoader. */
  public ProbeDevicePlugin() {}

  @Override
  public String name() {
    return "probe";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "a device without registers: programs say what it reads and writes";
  }

  @Override
  public ProbeDevice create(Settings settings) {
    return new ProbeDevice();
  }
}
