package io.twostep.backend.swiotlb;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Offers {@link SwiotlbBackend} by the name {@code swiotlb}. */
public final class SwiotlbBackendPlugin implements BackendPlugin {
  /** Create the plugin; for ServiceLoader. */
  public SwiotlbBackendPlugin() {}

  @Override
  public String name() {
    return SwiotlbBackend.NAME;
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "bounces what a device cannot reach, must not see or cannot share cache lines with; stages heap arrays and foreign memory";
  }

  @Override
  public List<Setting> settings() {
    return SwiotlbConfig.SETTINGS;
  }

  @Override
  public boolean layer() {
    return true;
  }

  @Override
  public SwiotlbBackend create(Settings settings) {
    return new SwiotlbBackend(SwiotlbConfig.of(settings));
  }
}
