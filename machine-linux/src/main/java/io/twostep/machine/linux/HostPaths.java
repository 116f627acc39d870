package io.twostep.machine.linux;

import java.nio.file.Path;

/**
 * Where the kernel's file systems are mounted.
 *
 * @param sys of sysfs
 * @param proc of procfs
 * @param dev of devices
 */
public record HostPaths(Path sys, Path proc, Path dev) {
  /** The usual places. */
  public static final HostPaths USUAL = under(Path.of("/"));

  /** Return the usual places below a folder. */
  public static HostPaths under(Path root) {
    return new HostPaths(root.resolve("sys"), root.resolve("proc"), root.resolve("dev"));
  }

  /** Return where VFIO's files are. */
  public String vfio() {
    return dev.resolve("vfio").toString();
  }

  /** Return the folder of a PCI function. */
  public Path function(String address) {
    return sys.resolve("bus/pci/devices").resolve(address);
  }
}
