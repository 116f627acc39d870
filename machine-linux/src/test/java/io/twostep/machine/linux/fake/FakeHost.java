package io.twostep.machine.linux.fake;

import io.twostep.machine.linux.HostPaths;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The kernel's file systems as folders: PCI functions, groups, and what this process may pin. */
public final class FakeHost {
  private final Path root;

  /** Write below a folder. */
  public FakeHost(Path root) {
    this.root = root;
    write("proc/self/limits", "Max locked memory         unlimited            unlimited            bytes\n");
    write("proc/self/status", "VmLck:\t       0 kB\nCapEff:\t0000000000000000\n");
  }

  /** Return where things are. */
  public HostPaths paths() {
    return HostPaths.under(root);
  }

  /** Add a function with two BARs; {@code driver} empty for none, {@code group} -1 for no IOMMU. */
  public FakeHost function(String address, int classCode, String driver, int group) {
    String folder = "sys/bus/pci/devices/" + address;
    write(folder + "/vendor", "0x1b36\n");
    write(folder + "/device", "0x0010\n");
    write(folder + "/class", "0x%06x\n".formatted(classCode));
    write(folder + "/driver_override", "(null)\n");
    int slot = Integer.parseInt(address.substring(8, 10), 16);
    write(
        folder + "/resource",
        "0x%016x 0x%016x 0x0000000000140204\n".formatted(0xfe000000L + slot * 0x10000L, 0xfe000000L + slot * 0x10000L + FakeDevice.BAR_LENGTH - 1)
            + "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
            + "0x%016x 0x%016x 0x000000000014220c\n".formatted(0xfd000000L + slot * 0x10000L, 0xfd000000L + slot * 0x10000L + FakeDevice.BAR_LENGTH - 1)
            + "0x0000000000000000 0x0000000000000000 0x0000000000000000\n".repeat(4));
    if (!driver.isEmpty()) {
      write("sys/bus/pci/drivers/" + driver + "/unbind", "");
      link(folder + "/driver", "sys/bus/pci/drivers/" + driver);
    }
    write("sys/bus/pci/drivers_probe", "");
    if (group >= 0) {
      write("sys/kernel/iommu_groups/" + group + "/reserved_regions", "0x00000000fee00000 0x00000000feefffff msi\n");
      link("sys/kernel/iommu_groups/" + group + "/devices/" + address, folder);
      link(folder + "/iommu_group", "sys/kernel/iommu_groups/" + group);
    }
    return this;
  }

  /** Say what may be pinned, and what is, in bytes. */
  public FakeHost memlock(long allowed, long lockedKilobytes) {
    write("proc/self/limits", "Max locked memory         " + allowed + "            " + allowed + "            bytes\n");
    write("proc/self/status", "VmLck:\t       " + lockedKilobytes + " kB\nCapEff:\t0000000000000000\n");
    return this;
  }

  /** Write a file below the root. */
  public void write(String name, String text) {
    try {
      Files.createDirectories(root.resolve(name).getParent());
      Files.writeString(root.resolve(name), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Read a file below the root. */
  public String read(String name) {
    try {
      return Files.readString(root.resolve(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void link(String name, String target) {
    try {
      Files.createDirectories(root.resolve(name).getParent());
      Files.createSymbolicLink(root.resolve(name), root.resolve(target));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
