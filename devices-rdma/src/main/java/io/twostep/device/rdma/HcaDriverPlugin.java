package io.twostep.device.rdma;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.DriverPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Finds host channel adapters by their class code and brings them up. */
public final class HcaDriverPlugin implements DriverPlugin<Hca> {
  /** Network, InfiniBand. */
  private static final int CLASS_CODE = 0x020700;

  /** Create the plugin; ServiceLoader does. */
  public HcaDriverPlugin() {}

  @Override
  public String name() {
    return "hca";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "drives RDMA adapters: pinned and on-demand memory keys, reliable connections";
  }

  @Override
  public List<Setting> settings() {
    return HcaConfig.settings();
  }

  @Override
  public Class<Hca> type() {
    return Hca.class;
  }

  @Override
  public boolean matches(DeviceSlot slot) {
    return slot.classCode() == CLASS_CODE;
  }

  @Override
  public Hca bind(DriverContext context) {
    return Hca.open(context, HcaConfig.of(context.settings()));
  }
}
