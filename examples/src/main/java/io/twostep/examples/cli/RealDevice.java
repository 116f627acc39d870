package io.twostep.examples.cli;

import io.twostep.machine.linux.DeviceReadiness;
import io.twostep.machine.linux.DeviceUse;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciInventory;
import java.util.List;

/** What must hold before a device of this computer is touched. */
final class RealDevice {
  private RealDevice() {}

  /** Refuse a device that there is not, that is in use, or that cannot be used. */
  static void requireUsable(String device) {
    HostPaths paths = HostPaths.USUAL;
    PciFunction function =
        PciInventory.find(paths, device)
            .orElseThrow(() -> new BadInput("--device is '" + device + "'; this computer has no such PCI function; see 'twostep devices'"));
    DeviceUse use = DeviceUse.of(paths, function);
    if (!use.isNone()) {
      throw new BadInput(device + " " + use + "; nothing was done");
    }
    List<String> missing = DeviceReadiness.missing(paths, function);
    if (!missing.isEmpty()) {
      throw new BadInput(device + " cannot be used: " + String.join("; ", missing));
    }
  }
}
