package io.twostep.machine.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.twostep.machine.linux.fake.FakeHost;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.OpenFlags;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Holders of block devices, those that the kernel names and those that it only refuses others for. */
class DeviceUseTest {
  private static final String DISK = "0000:00:03.0";
  private static final String HELD = " is held by one whom the kernel does not name, such as a ZFS pool (zpool status), a file system of several devices or a program";

  @TempDir Path root;
  private FakeHost host;

  /** What opening a block device exclusively fails with. */
  private final Map<String, Integer> errors = new TreeMap<>();

  private final List<String> open = new ArrayList<>();

  @BeforeEach
  void plug() throws IOException {
    host = new FakeHost(root).function(DISK, 0x010802, "nvme", 3);
    block("nvme0n1", "259:0");
    block("nvme0n1/nvme0n1p1", "259:1");
    block("nvme0n1/nvme0n1p2", "259:2");
  }

  /** A kernel that opens and closes block devices, and nothing else. */
  private Kernel kernel() {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("close")) {
                assertThat(open.remove(((Descriptor) arguments[0]).name())).isTrue();
                return null;
              }
              assertThat(method.getName()).isEqualTo("open");
              assertThat(arguments[1]).as("exclusively, and for reading: who closes what it could write has the disk looked at again").isEqualTo(OpenFlags.READ_ONLY | OpenFlags.EXCLUSIVE);
              String path = (String) arguments[0];
              Integer errno = errors.get(root.resolve("dev").relativize(Path.of(path)).toString());
              if (errno != null) {
                throw new SystemCallException("open", path, errno);
              }
              open.add(path);
              return new Descriptor(7, path);
            });
  }

  private DeviceUse use() {
    DeviceUse use = DeviceUse.of(kernel(), host.paths(), PciInventory.find(host.paths(), DISK).orElseThrow());
    assertThat(open).isEmpty();
    return use;
  }

  @Test
  void diskThatNobodyHoldsIsNotInUse() {
    assertThat(use()).isEqualTo(new DeviceUse(List.of(), List.of())).hasToString("is not in use");
    assertThat(use().isNone()).isTrue();
  }

  @Test
  void partitionInAPoolThatSysfsDoesNotKnowIsInUseAndItsDiskIsNotNamedForIt() {
    errors.put("nvme0n1p1", Errno.EBUSY);
    errors.put("nvme0n1", Errno.EBUSY);
    assertThat(use()).isEqualTo(new DeviceUse(List.of("/dev/nvme0n1p1" + HELD), List.of()));
    assertThat(use().isNone()).isFalse();
  }

  @Test
  void wholeDiskInAPoolIsInUse() {
    errors.put("nvme0n1", Errno.EBUSY);
    assertThat(use().uses()).containsExactly("/dev/nvme0n1" + HELD);
  }

  @Test
  void whatTheKernelNamesIsToldOnceAndWhatIsBesideItIsLookedAt() throws IOException {
    host.write("proc/self/mountinfo", "26 1 259:1 / /home rw,relatime - ext4 /dev/nvme0n1p1 rw\n");
    List.of("nvme0n1", "nvme0n1p1", "nvme0n1p2").forEach(block -> errors.put(block, Errno.EBUSY));
    assertThat(use().uses()).containsExactly("/dev/nvme0n1p1 is mounted at /home", "/dev/nvme0n1p2" + HELD);
    Files.createDirectories(root.resolve("sys/class/block/nvme0n1p2/holders/md127"));
    assertThat(use().uses()).containsExactly("/dev/nvme0n1p1 is mounted at /home", "/dev/nvme0n1p2 is a part of /dev/md127");
  }

  @ParameterizedTest
  @ValueSource(ints = {Errno.EACCES, Errno.ENOENT, Errno.ENXIO})
  void whatCannotBeOpenedMayBeInUse(int errno) {
    errors.put("nvme0n1", errno);
    assertThat(use().isNone()).isFalse();
    assertThat(use()).hasToString("may be in use: /dev/nvme0n1 cannot be opened to find out: " + Errno.text(errno) + "; run as root, where all devices are in /dev");
    errors.put("nvme0n1p2", Errno.EBUSY);
    assertThat(use()).as("the disk is held by whoever holds its partition").hasToString("is in use: /dev/nvme0n1p2" + HELD);
  }

  @Test
  void drivesWithNothingInThemAndPathsThatNobodyOpensAreNotAskedAfter() {
    errors.put("nvme0n1", Errno.ENOMEDIUM);
    host.write("sys/class/block/nvme0n1p1/hidden", "1\n");
    errors.put("nvme0n1p1", Errno.ENOENT);
    assertThat(use().isNone()).isTrue();
  }

  @Test
  void diskOfWhichNobodyCanTellIsNotTakenFromItsDriverAndSaysSo() throws IOException {
    Files.delete(root.resolve("dev/nvme0n1p2"));
    PciFunction function = PciInventory.find(host.paths(), DISK).orElseThrow();
    assertThatIllegalStateException()
        .isThrownBy(() -> DriverBinding.toVfio(host.paths(), function))
        .withMessageContaining(DISK + " may be in use: /dev/nvme0n1p2 cannot be opened to find out: ENOENT (no such file)");
    assertThat(DeviceReadiness.missing(host.paths(), function)).anyMatch(line -> line.startsWith("/dev/nvme0n1p2 cannot be opened to find out"));
  }

  private void block(String place, String number) throws IOException {
    String folder = "sys/bus/pci/devices/" + DISK + "/nvme/nvme0/" + place;
    String name = place.substring(place.lastIndexOf('/') + 1);
    host.write(folder + "/dev", number + "\n");
    Files.createDirectories(root.resolve("sys/class/block"));
    Files.createSymbolicLink(root.resolve("sys/class/block/" + name), root.resolve(folder));
    host.write("dev/" + name, "");
  }
}
