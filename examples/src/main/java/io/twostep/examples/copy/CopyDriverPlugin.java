package io.twostep.examples.copy;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.DriverPlugin;
import io.twostep.dma.spi.Spi;

/** Offers {@link CopyDriver}. */
public final class CopyDriverPlugin implements DriverPlugin<CopyDriver> {
  /** Create the plugin. */
  public CopyDriverPlugin() {}

  @Override
  public String name() {
    return "copy-engine";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "driver of the copy engine";
  }

  @Override
  public Class<CopyDriver> type() {
    return CopyDriver.class;
  }

  @Override
  public boolean matches(DeviceSlot slot) {
    return slot.classCode() == CopyEngine.IDENTITY.classCode();
  }

  @Override
  public CopyDriver bind(DriverContext context) {
    return new CopyDriver(context);
  }
}
