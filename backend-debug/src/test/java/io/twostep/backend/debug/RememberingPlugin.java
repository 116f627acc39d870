package io.twostep.backend.debug;

import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import java.util.List;
import java.util.Set;

/** The checker's plugin, which tells a test what it made. */
record RememberingPlugin(BackendPlugin real, List<DebugBackend> made) implements BackendPlugin {
  @Override
  public String name() {
    return real.name();
  }

  @Override
  public int spiVersion() {
    return real.spiVersion();
  }

  @Override
  public String description() {
    return real.description();
  }

  @Override
  public List<Setting> settings() {
    return real.settings();
  }

  @Override
  public boolean layer() {
    return real.layer();
  }

  @Override
  public Set<String> mustLieAbove() {
    return real.mustLieAbove();
  }

  @Override
  public Backend create(Settings settings) {
    Backend backend = real.create(settings);
    made.add((DebugBackend) backend);
    return backend;
  }
}
