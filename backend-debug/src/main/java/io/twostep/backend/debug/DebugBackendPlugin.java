package io.twostep.backend.debug;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Offers {@link DebugBackend} by the name {@code debug}. */
public final class DebugBackendPlugin implements BackendPlugin {
  /** Create the plugin; for ServiceLoader. */
  public DebugBackendPlugin() {}

  @Override
  public String name() {
    return DebugBackend.NAME;
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "checks every rule of the mapping API, reports both stack traces, counts and times calls";
  }

  @Override
  public List<Setting> settings() {
    return DebugConfig.SETTINGS;
  }

  @Override
  public boolean layer() {
    return true;
  }

  @Override
  public DebugBackend create(Settings settings) {
    return new DebugBackend(DebugConfig.of(settings));
  }
}
