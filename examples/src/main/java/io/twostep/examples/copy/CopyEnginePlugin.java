package io.twostep.examples.copy;

import io.twostep.dma.spi.DeviceModelPlugin;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;

/** Offers {@link CopyEngine} by the name {@code copy-engine}. */
public final class CopyEnginePlugin implements DeviceModelPlugin {
  /** Create the plugin. */
  public CopyEnginePlugin() {}

  @Override
  public String name() {
    return "copy-engine";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "copies memory to memory";
  }

  @Override
  public CopyEngine create(Settings settings) {
    return new CopyEngine();
  }
}
