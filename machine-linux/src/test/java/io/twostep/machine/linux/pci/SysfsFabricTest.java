package io.twostep.machine.linux.pci;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.FabricNode;
import io.twostep.dma.spi.FabricNode.Role;
import io.twostep.dma.spi.PeerRoute;
import io.twostep.machine.linux.fake.FakeHost;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tree as sysfs tells it: a switch with two devices, a device beside it, and one below a bridge of its own. */
class SysfsFabricTest {
  private static final int PORT = 0x060400;
  private static final int NVME = 0x010802;
  private static final String SWITCH = "0000:00:01.0/0000:01:00.0/";

  @TempDir Path root;
  private FakeHost host;
  private SysfsFabric fabric;

  @BeforeEach
  void plug() {
    host =
        new FakeHost(root)
            .function("0000:00:00.0", 0x060000, "", -1)
            .function("0000:00:01.0", PORT, "pcieport", 1)
            .function("0000:00:01.0/", "0000:01:00.0", PORT, "pcieport", 1)
            .function(SWITCH, "0000:02:00.0", PORT, "pcieport", 1)
            .function(SWITCH, "0000:02:01.0", PORT, "pcieport", 1)
            .function(SWITCH + "0000:02:00.0/", "0000:03:00.0", NVME, "vfio-pci", 1)
            .function(SWITCH + "0000:02:01.0/", "0000:04:00.0", NVME, "vfio-pci", 1)
            .function("0000:00:05.0", NVME, "vfio-pci", 5);
    fabric = new SysfsFabric(host.paths());
  }

  @Test
  void nodesFollowTheFoldersEachAfterTheOneAboveIt() {
    open("0000:03:00.0");
    List<FabricNode> nodes = fabric.nodes();
    assertThat(nodes)
        .extracting(FabricNode::name)
        .containsExactly("0000:00", "0000:00:00.0", "0000:00:01.0", "0000:00:05.0", "0000:01:00.0", "0000:02:00.0", "0000:02:01.0", "0000:03:00.0", "0000:04:00.0");
    assertThat(nodes).filteredOn(node -> node.role() == Role.PORT).extracting(FabricNode::name).containsExactly("0000:00:01.0", "0000:01:00.0", "0000:02:00.0", "0000:02:01.0");
    assertThat(nodes).allSatisfy(node -> assertThat(node.uplink() == null || nodes.indexOf(node.uplink()) < nodes.indexOf(node)).isTrue());
    assertThat(nodes.getFirst().model()).isEqualTo("1b36:0010");
    assertThat(nodes.getFirst().role()).isEqualTo(Role.HOST_BRIDGE);
  }

  @Test
  void devicesOfOneSwitchMeetThereAndOthersAtTheHostBridge() {
    DeviceSlot one = open("0000:03:00.0");
    DeviceSlot two = open("0000:04:00.0");
    DeviceSlot beside = open("0000:00:05.0");
    PeerRoute below = fabric.route(one, two);
    assertThat(below.hops()).extracting(FabricNode::name).containsExactly("0000:03:00.0", "0000:02:00.0", "0000:01:00.0", "0000:02:01.0", "0000:04:00.0");
    assertThat(below.firstRedirect()).isNull();
    PeerRoute across = fabric.route(beside, two);
    assertThat(across.passesHostBridge()).isTrue();
    assertThat(across.distance()).isEqualTo(5);
    assertThat(across.importerBridge()).isEqualTo(across.providerBridge());
    assertThat(fabric.route(one, one).distance()).isZero();
  }

  @Test
  void aPortThatRedirectsIsToldByTheBitsThatDoAndByNoOthers() {
    host.accessControl("0000:02:01.0", 0x1 | 0x4 | 0x8);
    host.accessControl("0000:02:00.0", 0x1 | 0x2 | 0x10 | 0x40);
    PeerRoute route = fabric.route(open("0000:03:00.0"), open("0000:04:00.0"));
    assertThat(route.firstRedirect().name()).isEqualTo("0000:02:01.0");
    assertThat(route.firstRedirect().redirect()).isEqualTo("access control: request redirect, completion redirect");
    host.accessControl("0000:02:01.0", 0x20);
    open("0000:00:05.0");
    assertThat(fabric.nodes()).filteredOn(FabricNode::redirects).extracting(FabricNode::redirect).containsExactly("access control: egress control");
  }

  @Test
  void accessControlThatCannotBeReadCountsAsRedirecting() {
    host.remove("sys/bus/pci/devices/0000:02:00.0/config");
    PeerRoute route = fabric.route(open("0000:03:00.0"), open("0000:04:00.0"));
    assertThat(route.firstRedirect().name()).isEqualTo("0000:02:00.0");
    assertThat(route.firstRedirect().redirect()).contains("cannot be read");
  }

  @Test
  void capabilitiesThatChaseEachOtherEnd() {
    host.accessControl("0000:02:00.0", 0);
    host.config("0000:02:00.0", 0x148, 0x1002_0002);
    assertThat(fabric.route(open("0000:03:00.0"), open("0000:04:00.0")).firstRedirect()).isNull();
  }

  @Test
  void aBusWithoutFunctionZeroHasABridgeOfUnknownModel() {
    host.remove("sys/bus/pci/devices/0000:00:00.0");
    host.remove("sys/bus/pci/devices/0000:00:01.0");
    open("0000:00:05.0");
    assertThat(fabric.nodes().getFirst().model()).isEqualTo("unknown");
  }

  @Test
  void everyDeviceThatIsOpenedIsANewGenerationAndOnlyThoseHaveRoutes() {
    DeviceSlot stranger = slot("0000:04:00.0");
    DeviceSlot one = open("0000:03:00.0");
    long before = fabric.generation();
    assertThat(fabric.node(stranger)).isNull();
    assertThat(fabric.route(one, stranger)).isNull();
    open("0000:04:00.0");
    assertThat(fabric.generation()).isGreaterThan(before);
  }

  private DeviceSlot open(String address) {
    DeviceSlot slot = slot(address);
    fabric.join(slot);
    return slot;
  }

  /** Return a slot that has an address and an identity, which is all that a fabric asks of one. */
  private static DeviceSlot slot(String address) {
    return (DeviceSlot)
        Proxy.newProxyInstance(
            DeviceSlot.class.getClassLoader(),
            new Class<?>[] {DeviceSlot.class},
            (proxy, method, arguments) ->
                switch (method.getName()) {
                  case "address" -> new DeviceAddress(address);
                  case "hashCode" -> System.identityHashCode(proxy);
                  case "equals" -> proxy == arguments[0];
                  default -> throw new UnsupportedOperationException(method.getName());
                });
  }
}
