package io.twostep.backend.iommu;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Offers {@link IommuBackend} by the name {@code iommu}. */
public final class IommuBackendPlugin implements BackendPlugin {
  /** Create the plugin; for ServiceLoader. */
  public IommuBackendPlugin() {}

  @Override
  public String name() {
    return IommuBackend.NAME;
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "maps behind an IOMMU: I/O address allocator, page tables, invalidation, two-step reservations";
  }

  @Override
  public List<Setting> settings() {
    return IommuConfig.SETTINGS;
  }

  @Override
  public boolean layer() {
    return false;
  }

  @Override
  public IommuBackend create(Settings settings) {
    return new IommuBackend(IommuConfig.of(settings));
  }
}
