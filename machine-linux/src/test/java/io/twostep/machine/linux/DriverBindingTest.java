package io.twostep.machine.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.machine.linux.fake.FakeHost;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Taking functions from drivers and giving them back, over folders instead of a kernel. */
class DriverBindingTest {
  private static final String DISK = "0000:00:03.0";

  @TempDir Path root;
  private FakeHost host;

  @BeforeEach
  void plug() {
    host = new FakeHost(root).function(DISK, 0x010802, "nvme", 3).function("0000:00:04.0", 0x020000, "e1000e", 3).function("0000:00:1f.0", 0x060100, "", 9);
  }

  @Test
  void planSaysWhatItWouldDoAndChangesNothing() {
    DriverBinding plan = DriverBinding.toVfio(host.paths(), function(DISK));
    assertThat(plan.steps()).hasSize(3);
    assertThat(plan.steps().get(0).toString()).startsWith("write 'vfio-pci' to ").contains(DISK + "/driver_override");
    assertThat(plan.steps().get(1).toString()).contains("/sys/bus/pci/drivers/nvme/unbind", "take the function from nvme");
    assertThat(plan.steps().get(2).toString()).contains("drivers_probe");
    assertThat(host.read("sys/bus/pci/devices/" + DISK + "/driver_override")).isEqualTo("(null)\n");
  }

  @Test
  void applyingWritesEveryStep() {
    DriverBinding.toVfio(host.paths(), function(DISK)).apply();
    assertThat(host.read("sys/bus/pci/devices/" + DISK + "/driver_override")).startsWith("vfio-pci");
    assertThat(host.read("sys/bus/pci/drivers/nvme/unbind")).isEqualTo(DISK);
    assertThat(host.read("sys/bus/pci/drivers_probe")).isEqualTo(DISK);
    DriverBinding.toKernel(host.paths(), function(DISK)).apply();
    assertThat(host.read("sys/bus/pci/devices/" + DISK + "/driver_override")).startsWith("\n");
  }

  @Test
  void stepThatFailsIsNamed() throws IOException {
    DriverBinding plan = DriverBinding.toVfio(host.paths(), function(DISK));
    Files.delete(root.resolve("sys/bus/pci/drivers/nvme/unbind"));
    assertThatThrownBy(plan::apply).hasMessageContaining("take the function from nvme").hasMessageContaining("run as root");
  }

  @Test
  void folderWhoseNameIsNoUtf8HidesNoMountedFileSystem() throws IOException {
    block("nvme0n1", "259:0");
    String mounts = "25 1 8:2 / /media/caf\u00e9 rw - vfat /dev/sdb1 rw\n26 1 259:0 / /home rw,relatime - ext4 /dev/nvme0n1 rw\n";
    host.write("proc/self/mountinfo", mounts.getBytes(StandardCharsets.ISO_8859_1));
    assertThat(DeviceUse.of(host.paths(), function(DISK)).uses()).containsExactly("/dev/nvme0n1 is mounted at /home");
  }

  @Test
  void mountedFileSystemSwapAndVolumeKeepADiskWithTheKernel() throws IOException {
    block("nvme0n1", "259:0");
    block("nvme0n1p1", "259:1");
    host.write("proc/self/mountinfo", "26 1 259:1 / /home rw,relatime - ext4 /dev/nvme0n1p1 rw\n27 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    host.write("proc/swaps", "Filename Type Size Used Priority\n/dev/nvme0n1 partition 100 0 -2\n");
    Files.createDirectories(root.resolve("sys/bus/pci/devices/" + DISK + "/nvme/nvme0/nvme0n1/holders/dm-0"));
    assertThat(DeviceUse.of(host.paths(), function(DISK)).uses())
        .containsExactlyInAnyOrder("/dev/nvme0n1p1 is mounted at /home", "/dev/nvme0n1 is a part of /dev/dm-0", "/dev/nvme0n1 is swap");
    assertThatThrownBy(() -> DriverBinding.toVfio(host.paths(), function(DISK)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(DISK + " is in use: ")
        .hasMessageContaining("mounted at /home");
    assertThat(DeviceReadiness.missing(host.paths(), function(DISK))).anyMatch(line -> line.contains("mounted at /home"));
  }

  @Test
  void namespaceOfSeveralPathsIsFoundThroughOneOfThem() throws IOException {
    Files.createDirectories(root.resolve("sys/bus/pci/devices/" + DISK + "/nvme/nvme2/nvme1c2n1"));
    host.write("sys/class/block/nvme1n1p2/dev", "259:9\n");
    host.write("proc/self/mountinfo", "26 1 259:9 / /data rw - xfs /dev/nvme1n1p2 rw\n");
    assertThat(DeviceUse.of(host.paths(), function(DISK)).uses()).containsExactly("/dev/nvme1n1p2 is mounted at /data");
  }

  @Test
  void missingThingsAreToldOneByOne() {
    assertThat(DeviceReadiness.missing(host.paths(), function(DISK)))
        .containsExactly(
            "VFIO is not loaded: modprobe vfio-pci",
            "its driver is nvme: twostep devices --bind " + DISK,
            "0000:00:04.0 of the same group has driver e1000e: twostep devices --bind 0000:00:04.0");
    assertThat(DeviceReadiness.missing(host.paths(), function("0000:00:1f.0"))).containsExactly("it is a bridge, which stays with the kernel");
    FakeHost ready = new FakeHost(root.resolve("ready")).function(DISK, 0x010802, "vfio-pci", 3);
    ready.write("dev/vfio/vfio", "");
    ready.write("dev/vfio/3", "");
    assertThat(DeviceReadiness.missing(ready.paths(), PciInventory.find(ready.paths(), DISK).orElseThrow())).isEmpty();
    ready.process(4711, "qemu-system-x86", "vfio/3");
    assertThat(DeviceReadiness.missing(ready.paths(), PciInventory.find(ready.paths(), DISK).orElseThrow()))
        .containsExactly("process 4711 (qemu-system-x86) has its group open: end it");
  }

  @Test
  void interfaceThatIsUpAndBridgesAreNotTaken() {
    host.write("sys/bus/pci/devices/0000:00:04.0/net/eth0/operstate", "up\n");
    assertThatThrownBy(() -> DriverBinding.toVfio(host.paths(), function("0000:00:04.0"))).hasMessageContaining("network interface eth0 is up");
    assertThatThrownBy(() -> DriverBinding.toVfio(host.paths(), function("0000:00:1f.0"))).hasMessageContaining("is a bridge");
  }

  private void block(String name, String number) throws IOException {
    String folder = "sys/bus/pci/devices/" + DISK + "/nvme/nvme0/" + name;
    host.write(folder + "/dev", number + "\n");
    Files.createDirectories(root.resolve("sys/class/block"));
    Files.createSymbolicLink(root.resolve("sys/class/block/" + name), root.resolve(folder));
    host.write("dev/" + name, "");
  }

  private PciFunction function(String address) {
    return PciInventory.find(host.paths(), address).orElseThrow();
  }
}
