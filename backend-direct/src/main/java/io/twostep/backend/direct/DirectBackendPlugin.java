package io.twostep.backend.direct;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;

/** Offers {@link DirectBackend} by the name {@code direct}; has no settings, because machine and device say all there is to know. */
public final class DirectBackendPlugin implements BackendPlugin {
  /** Create the plugin; for ServiceLoader. */
  public DirectBackendPlugin() {}

  @Override
  public String name() {
    return DirectBackend.NAME;
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "maps without translation: address masks, offset windows, cache maintenance for devices that do not snoop";
  }

  @Override
  public boolean layer() {
    return false;
  }

  @Override
  public DirectBackend create(Settings settings) {
    return new DirectBackend();
  }
}
