package com.example.aperture;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Offers {@link QuotaLayer} by the name {@code quota}. */
public final class QuotaPlugin implements BackendPlugin {
  static final String NAME = "quota";

  /** Create the plugin; for ServiceLoader. */
  public QuotaPlugin() {}

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
    return "limits the bytes that one device holds mapped or reserved";
  }

  @Override
  public List<Setting> settings() {
    return List.of(new Setting("bytes", "1GiB", "most bytes that one device may hold mapped or reserved"));
  }

  @Override
  public boolean layer() {
    return true;
  }

  @Override
  public QuotaLayer create(Settings settings) {
    return new QuotaLayer(settings.bytes("bytes"));
  }
}
