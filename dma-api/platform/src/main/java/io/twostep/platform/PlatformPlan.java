package io.twostep.platform;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.DeviceModelPlugin;
import io.twostep.dma.spi.MachinePlugin;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A description found right: what to make, in order. */
record PlatformPlan(
    MachinePlugin machine, Settings machineSettings, List<PlannedBackend> backends, List<PlannedDevice> devices) {

  /** Return the devices whose stacks hold an instance, as messages name them. */
  String users(PlannedBackend backend) {
    List<String> users =
        devices.stream().filter(device -> device.stack().contains(backend.key())).map(PlannedDevice::address).toList();
    return (users.size() == 1 ? "device " : "devices ") + String.join(" and ", users);
  }

  /**
   * One backend instance.
   *
   * @param key plugin name, then what was set, such as {@code iommu{flush=lazy}}: equal keys share an instance
   */
  record PlannedBackend(String key, BackendPlugin plugin, Settings settings) {}

  /** The model of a device. */
  record PlannedModel(DeviceModelPlugin plugin, Settings settings) {}

  /**
   * One device.
   *
   * @param stack keys of its backends, outermost first
   * @param driverSettings values for its driver
   * @param slotSettings names of the slot settings that were given, for machines that cannot follow them
   */
  record PlannedDevice(
      DeviceDescription description,
      @Nullable PlannedModel model,
      SlotOptions options,
      List<String> stack,
      Map<String, String> driverSettings,
      List<String> slotSettings) {
    String address() {
      return description.address();
    }
  }
}
