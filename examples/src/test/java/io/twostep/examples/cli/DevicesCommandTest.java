package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the command line says of devices, over folders that look like the kernel's. */
class DevicesCommandTest {
  private static final String DISK = "0000:00:03.0";

  @TempDir Path root;

  @BeforeEach
  void plug() throws IOException {
    Path function = root.resolve("sys/bus/pci/devices/" + DISK);
    Files.createDirectories(function);
    Files.writeString(function.resolve("vendor"), "0x1b36\n");
    Files.writeString(function.resolve("device"), "0x0010\n");
    Files.writeString(function.resolve("class"), "0x010802\n");
    Files.writeString(function.resolve("driver_override"), "(null)\n");
    Path driver = root.resolve("sys/bus/pci/drivers/nvme");
    Files.createDirectories(driver);
    Files.writeString(driver.resolve("unbind"), "");
    Files.writeString(root.resolve("sys/bus/pci/drivers_probe"), "");
    Files.createSymbolicLink(function.resolve("driver"), driver);
    Path group = root.resolve("sys/kernel/iommu_groups/3");
    Files.createDirectories(group.resolve("devices"));
    Files.createSymbolicLink(group.resolve("devices").resolve(DISK), function);
    Files.createSymbolicLink(function.resolve("iommu_group"), group);
    Files.createDirectories(root.resolve("dev/vfio"));
    Files.writeString(root.resolve("dev/vfio/vfio"), "");
  }

  @Test
  void listTellsDriverGroupAndWhatIsMissing() {
    Run said = Run.of("devices", "--root", root.toString());
    assertThat(said.status()).isEqualTo(CommandLineMain.DONE);
    assertThat(said.out()).contains(DISK, "1b36:0010", "010802", "nvme", "its driver is nvme: twostep devices --bind " + DISK);
  }

  @Test
  void jsonIsOneObjectWithTheSame() {
    Run said = Run.of("devices", "--json", "--root", root.toString());
    assertThat(said.out().strip())
        .isEqualTo(
            "{\"command\":\"devices\",\"devices\":[{\"address\":\"0000:00:03.0\",\"vendor\":6966,\"device\":16,\"class\":67586,\"driver\":\"nvme\",\"group\":3,"
                + "\"requester\":\"0000:00:03.0\",\"companions\":[],\"missing\":[\"its driver is nvme: twostep devices --bind 0000:00:03.0\"],\"usable\":false}]}");
  }

  @Test
  void bindingSaysWhatItWouldDoAndDoesItOnlyWhenTold() throws IOException {
    Run said = Run.of("devices", "--bind", DISK, "--root", root.toString());
    assertThat(said.status()).isEqualTo(CommandLineMain.DONE);
    assertThat(said.out()).contains("would write 'vfio-pci' to", "take the function from nvme", "nothing was done");
    assertThat(override()).isEqualTo("(null)\n");
    said = Run.of("devices", "--bind", DISK, "--yes", "--root", root.toString());
    assertThat(said.out()).contains("will write 'vfio-pci' to");
    assertThat(override()).startsWith("vfio-pci");
  }

  @Test
  void whatCannotBeIsRefusedInOneLine() {
    assertThat(Run.of("devices", "--bind", "0000:00:09.0", "--root", root.toString()).err()).contains("is no PCI function of this computer");
    assertThat(Run.of("devices", "--yes", "--root", root.toString()).status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(Run.of("devices", "--bind", DISK, "--unbind", DISK, "--root", root.toString()).err()).contains("exclude each other");
  }

  @Test
  void realDeviceAndItsMachineGoTogether() throws IOException {
    String file = Files.writeString(root.resolve("file"), "text").toString();
    assertThat(Run.of("nvme", file, "--device", DISK).err()).contains("--machine linux and --device ADDRESS go together");
    assertThat(Run.of("nvme", file, "--machine", "linux").err()).contains("--machine linux and --device ADDRESS go together");
    assertThat(Run.of("nvme", file, "--machine", "linux", "--device", "ffff:ff:1f.7").err()).contains("no such PCI function");
    assertThat(Run.of("nvme", file, "--machine", "linux", "--device", DISK, "--seed", "1").status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(Run.of("nvme", file, "--machine", "linux", "--device", DISK, "--flush", "lazy").err()).contains("--flush and --granule");
  }

  @Test
  void guestTestOutsideACheckoutIsRefused() {
    assertThat(Run.of("guest-test").err()).contains("runs from a checkout");
  }

  private String override() throws IOException {
    return Files.readString(root.resolve("sys/bus/pci/devices/" + DISK + "/driver_override"));
  }
}
