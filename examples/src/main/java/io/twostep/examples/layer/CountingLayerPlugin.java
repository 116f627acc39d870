package io.twostep.examples.layer;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;

/** Offers {@link CountingLayer} by the name {@code counting}. */
public final class CountingLayerPlugin implements BackendPlugin {
  /** Create the plugin. */
  public CountingLayerPlugin() {}

  @Override
  public String name() {
    return "counting";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "counts the bytes of plain mappings";
  }

  @Override
  public boolean layer() {
    return true;
  }

  @Override
  public CountingLayer create(Settings settings) {
    return new CountingLayer();
  }
}
