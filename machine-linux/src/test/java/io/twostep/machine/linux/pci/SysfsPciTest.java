package io.twostep.machine.linux.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.twostep.machine.linux.DeviceReadiness;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciFunction.PciBar;
import io.twostep.machine.linux.PciInventory;
import io.twostep.machine.linux.fake.FakeDevice;
import io.twostep.machine.linux.fake.FakeHost;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What sysfs says of functions. */
class SysfsPciTest {
  private static final int PORT = 0x060400;

  @TempDir Path root;

  @Test
  void functionsAreListedWithDriverGroupAndCompanions() {
    FakeHost host =
        new FakeHost(root).function("0000:00:04.0", 0x010802, "nvme", 7).function("0000:00:03.0", 0x010802, "vfio-pci", 7).function("0000:00:1f.0", 0x060100, "", -1);
    assertThat(PciInventory.list(host.paths()))
        .extracting(PciFunction::address)
        .containsExactly("0000:00:03.0", "0000:00:04.0", "0000:00:1f.0");
    PciFunction nvme = PciInventory.find(host.paths(), "0000:00:03.0").orElseThrow();
    assertThat(nvme.vendor()).isEqualTo(0x1b36);
    assertThat(nvme.device()).isEqualTo(0x10);
    assertThat(nvme.classCode()).isEqualTo(0x010802);
    assertThat(nvme.isBoundToVfio()).isTrue();
    assertThat(nvme.group()).isEqualTo(7);
    assertThat(nvme.companions()).containsExactly("0000:00:04.0");
    assertThat(nvme.bars().get(0)).isEqualTo(new PciBar(0xfe030000L, FakeDevice.BAR_LENGTH, false, false));
    assertThat(nvme.bars().get(1).length()).isZero();
    assertThat(nvme.bars().get(2).prefetchable()).isTrue();
    PciFunction bridge = PciInventory.find(host.paths(), "0000:00:1f.0").orElseThrow();
    assertThat(bridge.isBridge()).isTrue();
    assertThat(bridge.driver()).isEmpty();
    assertThat(bridge.group()).isEqualTo(-1);
  }

  @Test
  void devicesBehindABridgeToConventionalPciRequestAsTheBridgesBus() {
    FakeHost host =
        new FakeHost(root)
            .function("0000:00:01.0", PORT, "pcieport", 1)
            .bridge("0000:00:01.0", 4, 1)
            .function("0000:00:01.0/", "0000:01:00.0", PORT, "", 1)
            .bridge("0000:01:00.0", 7, 2)
            .function("0000:00:01.0/0000:01:00.0/", "0000:02:01.0", 0x00ff00, "vfio-pci", 1)
            .function("0000:00:01.0/0000:01:00.0/", "0000:02:02.0", 0x00ff00, "vfio-pci", 1)
            .function("0000:00:1e.0", PORT, "", 2)
            .bridge("0000:00:1e.0", -1, 3)
            .function("0000:00:1e.0/", "0000:03:00.0", 0x00ff00, "vfio-pci", 2);
    assertThat(PciInventory.list(host.paths()))
        .extracting(PciFunction::address, PciFunction::requester)
        .containsExactly(
            tuple("0000:00:01.0", "0000:00:01.0"),
            tuple("0000:00:1e.0", "0000:00:1e.0"),
            tuple("0000:01:00.0", "0000:01:00.0"),
            tuple("0000:02:01.0", "0000:02:00.0"),
            tuple("0000:02:02.0", "0000:02:00.0"),
            tuple("0000:03:00.0", "0000:00:1e.0"));
    PciFunction one = PciInventory.find(host.paths(), "0000:02:01.0").orElseThrow();
    assertThat(one.requestsAs("0000:02:00.0")).isTrue();
    assertThat(one.requestsAs("0000:02:01.0")).isTrue();
    assertThat(one.requestsAs("0000:02:02.0")).isFalse();
    assertThat(one.companions()).containsExactly("0000:00:01.0", "0000:01:00.0", "0000:02:02.0");
    host.write("dev/vfio/vfio", "");
    assertThat(DeviceReadiness.missing(host.paths(), one)).as("bridges of the group stay with the kernel").isEmpty();
  }

  @Test
  void bridgeWhoseCapabilitiesOnlyRootMayReadTellsNothing() {
    FakeHost host =
        new FakeHost(root)
            .function("0000:00:01.0", PORT, "pcieport", 1)
            .bridge("0000:00:01.0", 7, 2)
            .function("0000:00:01.0/", "0000:02:01.0", 0x00ff00, "vfio-pci", 1);
    assertThat(PciInventory.find(host.paths(), "0000:02:01.0").orElseThrow().requester()).isEqualTo("0000:02:00.0");
    host.shortenConfig("0000:00:01.0", 64);
    assertThat(PciInventory.find(host.paths(), "0000:02:01.0").orElseThrow().requester()).isEqualTo("0000:02:01.0");
  }

  @Test
  void whatIsNoAddressOrNotThereIsNotFound() {
    FakeHost host = new FakeHost(root).function("0000:00:03.0", 0x010802, "nvme", 7);
    assertThat(PciInventory.find(host.paths(), "../../etc")).isEmpty();
    assertThat(PciInventory.find(host.paths(), "0000:00:05.0")).isEmpty();
    assertThat(PciInventory.list(new FakeHost(root.resolve("empty")).paths())).isEmpty();
  }
}
