package io.twostep.machine.linux.fake;

import io.twostep.machine.linux.HostPaths;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

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

  /** Add a function of the root bus with two BARs; {@code driver} empty for none, {@code group} -1 for no IOMMU. */
  public FakeHost function(String address, int classCode, String driver, int group) {
    return function("", address, classCode, driver, group);
  }

  /** Add a function below ports, whose addresses are {@code above} with a slash behind each. */
  public FakeHost function(String above, String address, int classCode, String driver, int group) {
    String folder = "sys/devices/pci0000:00/" + above + address;
    link("sys/bus/pci/devices/" + address, folder);
    write(folder + "/config", new byte[256]);
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

  /** Make a function a bridge with a bus below; {@code kind} is what its express capability says it is, -1 for none. */
  public FakeHost bridge(String address, int kind, int secondary) {
    config(address, 0x04, kind < 0 ? 0 : 0x0010_0000);
    config(address, 0x0c, 0x0001_0000);
    config(address, 0x18, secondary << 16 | secondary << 8);
    config(address, 0x34, 0x40);
    config(address, 0x40, 0x0000_4c01);
    config(address, 0x4c, (kind << 4 | 2) << 16 | 0x10);
    return this;
  }

  /** Give a function the configuration space of an express one, with access control services that are set so. */
  public FakeHost accessControl(String address, int control) {
    write("sys/bus/pci/devices/" + address + "/config", new byte[4096]);
    config(address, 0x100, 0x1482_0001);
    config(address, 0x148, 0x0001_000d);
    config(address, 0x148 + 4, control << 16 | 0x7f);
    return this;
  }

  /** Write four bytes of a function's configuration space, such as the head of an extended capability: id, version and the next one's offset. */
  public void config(String address, int at, int word) {
    byte[] config = readBytes("sys/bus/pci/devices/" + address + "/config");
    ByteBuffer.wrap(config).order(ByteOrder.LITTLE_ENDIAN).putInt(at, word);
    write("sys/bus/pci/devices/" + address + "/config", config);
  }

  /** Let no more of a function's configuration space be read than its first bytes, as the kernel does for all but root. */
  public void shortenConfig(String address, int bytes) {
    String name = "sys/bus/pci/devices/" + address + "/config";
    write(name, Arrays.copyOf(readBytes(name), bytes));
  }

  /** Remove a file or a link below the root. */
  public void remove(String name) {
    try {
      Files.delete(root.resolve(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Say what may be pinned, and what is, in bytes. */
  public FakeHost memlock(long allowed, long lockedKilobytes) {
    write("proc/self/limits", "Max locked memory         " + allowed + "            " + allowed + "            bytes\n");
    write("proc/self/status", "VmLck:\t       " + lockedKilobytes + " kB\nCapEff:\t0000000000000000\n");
    return this;
  }

  /** Have a process with a file of devices open, by its path below them. */
  public void process(int number, String name, String device) {
    write("proc/" + number + "/comm", name + "\n");
    link("proc/" + number + "/fd/9", "dev/" + device);
  }

  /** Write a file below the root. */
  public void write(String name, String text) {
    write(name, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Write a file below the root whose bytes are no text. */
  public void write(String name, byte[] bytes) {
    try {
      Files.createDirectories(root.resolve(name).getParent());
      Files.write(root.resolve(name), bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Read a file below the root. */
  public String read(String name) {
    return new String(readBytes(name), StandardCharsets.UTF_8);
  }

  private byte[] readBytes(String name) {
    try {
      return Files.readAllBytes(root.resolve(name));
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
