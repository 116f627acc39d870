package io.twostep.device.vfio;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.DriverPlugin;
import io.twostep.dma.spi.Spi;

/** Makes {@link MigratableDevice}s by the name {@code migratable}. */
public final class MigratableDriverPlugin implements DriverPlugin<MigratableDevice> {
  private static final int DEVICE_ID = 0x317e_1234;

  /** Create the plugin; ServiceLoader does. */
  public MigratableDriverPlugin() {}

  @Override
  public String name() {
    return "migratable";
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "gives devices to guests and migrates them while they work";
  }

  @Override
  public Class<MigratableDevice> type() {
    return MigratableDevice.class;
  }

  @Override
  public boolean matches(DeviceSlot slot) {
    return slot.deviceId() == DEVICE_ID;
  }

  @Override
  public MigratableDevice bind(DriverContext context) {
    return MigratableDevice.open(context);
  }
}
