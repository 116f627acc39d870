package io.twostep.machine.linux;

import io.twostep.machine.linux.pci.FileHolders;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What is missing until a program can use a function through VFIO. */
public final class DeviceReadiness {
  private DeviceReadiness() {}

  /** Return one line for everything that is missing, with what to do; none if it can be used. */
  public static List<String> missing(HostPaths paths, PciFunction function) {
    List<String> missing = new ArrayList<>();
    if (function.isBridge()) {
      missing.add("it is a bridge, which stays with the kernel");
      return missing;
    }
    if (!Files.exists(paths.dev().resolve("vfio/vfio"))) {
      missing.add("VFIO is not loaded: modprobe vfio-pci");
    }
    if (function.group() < 0) {
      missing.add("no IOMMU translates for it: switch it on in the firmware and on the kernel's command line (intel_iommu=on)");
      return missing;
    }
    DeviceUse use = DeviceUse.of(paths, function);
    use.uses().forEach(what -> missing.add(what + ": that must end first"));
    missing.addAll(use.unknown());
    if (!function.isBoundToVfio()) {
      missing.add("its driver is " + (function.driver().isEmpty() ? "none" : function.driver()) + ": twostep devices --bind " + function.address());
    }
    for (String companion : function.companions()) {
      Optional<PciFunction> other = PciInventory.find(paths, companion);
      if (other.isPresent() && !other.get().isBridge() && !other.get().isBoundToVfio() && !other.get().driver().isEmpty()) {
        missing.add(companion + " of the same group has driver " + other.get().driver() + ": twostep devices --bind " + companion);
      }
    }
    Path group = paths.dev().resolve("vfio").resolve(Integer.toString(function.group()));
    if (Files.exists(group) && !(Files.isReadable(group) && Files.isWritable(group))) {
      missing.add("no permission for " + group + ": run as root, or give your user the file");
    }
    FileHolders.of(paths, group).forEach(holder -> missing.add(holder + " has its group open: end it"));
    return missing;
  }
}
