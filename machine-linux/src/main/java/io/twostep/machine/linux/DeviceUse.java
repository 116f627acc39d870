package io.twostep.machine.linux;

import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.pci.BlockDevices;
import io.twostep.machine.linux.pci.SysfsText;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What would be lost if a function were taken from the kernel: mounted file systems, swap, volumes and pools built on it, network interfaces that are up.
 *
 * @param uses one line for every use; none if the kernel uses it for nothing
 * @param unknown one line for every block device of which nobody can tell
 */
public record DeviceUse(List<String> uses, List<String> unknown) {
  /** Copy the lists. */
  public DeviceUse {
    uses = List.copyOf(uses);
    unknown = List.copyOf(unknown);
  }

  /** Look at a function: at what the kernel tells, and then for holders of whom it does not, by opening block devices exclusively, for reading. */
  public static DeviceUse of(HostPaths paths, PciFunction function) {
    return of(Kernel.host(), paths, function);
  }

  static DeviceUse of(Kernel kernel, HostPaths paths, PciFunction function) {
    List<String> uses = new ArrayList<>();
    List<String> unknown = new ArrayList<>();
    Set<String> blocks = BlockDevices.of(paths, function.address());
    Set<String> told = addNamed(paths, blocks, uses);
    // Partitions before the disks that they are parts of, whose names are shorter: a disk is held while a partition is.
    for (String block : blocks.stream().sorted(Comparator.comparingInt(String::length).reversed()).toList()) {
      if (told.stream().noneMatch(other -> BlockDevices.overlap(paths, block, other)) && !isFree(kernel, paths, block, uses, unknown)) {
        told.add(block);
      }
    }
    addInterfaces(paths, function, uses);
    return new DeviceUse(uses, unknown);
  }

  /** Add what the kernel tells of block devices, and return those that it tells something of. */
  private static Set<String> addNamed(HostPaths paths, Set<String> blocks, List<String> uses) {
    Set<String> named = new TreeSet<>();
    for (String block : blocks) {
      for (String place : BlockDevices.mounts(paths, block)) {
        uses.add("/dev/" + block + " is mounted at " + place);
        named.add(block);
      }
      for (String holder : BlockDevices.holders(paths, block)) {
        uses.add("/dev/" + block + " is a part of /dev/" + holder);
        named.add(block);
      }
    }
    for (String line : SysfsText.lines(paths.proc().resolve("swaps"))) {
      String block = line.split("\\s+", 2)[0].replace("/dev/", "");
      if (blocks.contains(block)) {
        uses.add("/dev/" + block + " is swap");
        named.add(block);
      }
    }
    return named;
  }

  /** Ask whether anybody holds a block device, and add what was found unless nobody does. */
  private static boolean isFree(Kernel kernel, HostPaths paths, String block, List<String> uses, List<String> unknown) {
    int errno = BlockDevices.openExclusively(kernel, paths, block);
    if (errno == Errno.EBUSY) {
      uses.add("/dev/" + block + " is held by one whom the kernel does not name, such as a ZFS pool (zpool status), a file system of several devices or a program");
    } else if (errno != 0 && errno != Errno.ENOMEDIUM) {
      unknown.add("/dev/" + block + " cannot be opened to find out: " + Errno.text(errno) + "; run as root, where all devices are in /dev");
    } else {
      return true;
    }
    return false;
  }

  private static void addInterfaces(HostPaths paths, PciFunction function, List<String> uses) {
    Path interfaces = paths.function(function.address()).resolve("net");
    for (String name : SysfsText.names(interfaces)) {
      if (SysfsText.read(interfaces.resolve(name).resolve("operstate")).equals("up")) {
        uses.add("network interface " + name + " is up");
      }
    }
  }

  /** Tell whether it is known that nothing would be lost. */
  public boolean isNone() {
    return uses.isEmpty() && unknown.isEmpty();
  }

  @Override
  public String toString() {
    List<String> parts = new ArrayList<>();
    if (!uses.isEmpty()) {
      parts.add("is in use: " + String.join("; ", uses));
    }
    if (!unknown.isEmpty()) {
      parts.add("may be in use: " + String.join("; ", unknown));
    }
    return parts.isEmpty() ? "is not in use" : String.join("; it ", parts);
  }
}
