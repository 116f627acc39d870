package io.twostep.machine.linux;

import io.twostep.machine.linux.pci.BlockDevices;
import io.twostep.machine.linux.pci.SysfsText;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** What would be lost if a function were taken from the kernel: mounted file systems, swap, volumes built on it, network interfaces that are up. */
public final class DeviceUse {
  private DeviceUse() {}

  /** Return one line for every use; none if the kernel uses it for nothing. */
  public static List<String> of(HostPaths paths, PciFunction function) {
    List<String> uses = new ArrayList<>();
    Set<String> blocks = BlockDevices.of(paths, function.address());
    for (String block : blocks) {
      for (String place : BlockDevices.mounts(paths, block)) {
        uses.add("/dev/" + block + " is mounted at " + place);
      }
      for (String holder : BlockDevices.holders(paths, block)) {
        uses.add("/dev/" + block + " is a part of /dev/" + holder);
      }
    }
    for (String line : SysfsText.lines(paths.proc().resolve("swaps"))) {
      String device = line.split("\\s+", 2)[0];
      if (blocks.contains(device.replace("/dev/", ""))) {
        uses.add(device + " is swap");
      }
    }
    Path interfaces = paths.function(function.address()).resolve("net");
    for (String name : SysfsText.names(interfaces)) {
      if (SysfsText.read(interfaces.resolve(name).resolve("operstate")).equals("up")) {
        uses.add("network interface " + name + " is up");
      }
    }
    return uses;
  }
}
