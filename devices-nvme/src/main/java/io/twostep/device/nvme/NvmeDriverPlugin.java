package io.twostep.device.nvme;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.DriverPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Spi;
import java.util.List;

/** Finds NVMe controllers by their class code and brings them up. */
public final class NvmeDriverPlugin implements DriverPlugin<NvmeController> {
  /** Mass storage, non-volatile memory, NVMe. */
  private static final int CLASS_CODE = 0x010802;

  /** Create the plugin; ServiceLoader does. */
  public NvmeDriverPlugin() {}

  @Override
  public String name() {
    return "nvme";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "drives NVMe controllers: block reads and writes through two-step mappings";
  }

  @Override
  public List<Setting> settings() {
    return NvmeConfig.settings();
  }

  @Override
  public Class<NvmeController> type() {
    return NvmeController.class;
  }

  @Override
  public boolean matches(DeviceSlot slot) {
    return slot.classCode() == CLASS_CODE;
  }

  @Override
  public NvmeController bind(DriverContext context) {
    return NvmeController.open(context, NvmeConfig.of(context.settings()));
  }
}
