package io.twostep.backend.p2p;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.List;
import java.util.Set;

/** Offers {@link P2pBackend} by the name {@code p2p}. */
public final class P2pBackendPlugin implements BackendPlugin {
  /** Create the plugin; for ServiceLoader. */
  public P2pBackendPlugin() {}

  @Override
  public String name() {
    return P2pBackend.NAME;
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "lets devices reach each other's memory: by bus address below one switch, through host bridges that forward, or not at all";
  }

  @Override
  public List<Setting> settings() {
    return P2pConfig.SETTINGS;
  }

  @Override
  public boolean layer() {
    return true;
  }

  /** Return the bounce layer: it must see what peers are already found to be, and never copies them. */
  @Override
  public Set<String> mustLieAbove() {
    return Set.of("swiotlb");
  }

  @Override
  public P2pBackend create(Settings settings) {
    return new P2pBackend(P2pConfig.of(settings));
  }
}
