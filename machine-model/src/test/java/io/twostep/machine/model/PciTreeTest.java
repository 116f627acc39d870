package io.twostep.machine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DeviceSlot.Bar;
import io.twostep.dma.spi.FabricNode;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.PeerRoute;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.dma.spi.Topology;
import io.twostep.machine.model.iommu.TestTables;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The tree as software sees it, and what the hardware does with requests between devices. */
class PciTreeTest {
  /** Two host bridges; below the first a switch with two devices and a third device beside it. */
  private static final String TREE =
      """
      host-bridge 8086:2020 bus=00-1f
      root-port 00:01.0 bus=01-0f
      upstream-port 01:00.0 bus=02-0f
      downstream-port 02:00.0 bus=03
      downstream-port 02:01.0 bus=04
      root-port 00:02.0 bus=10 acs=isolate
      host-bridge 1022:1480 bus=40-4f
      root-port 40:01.0 bus=41
      """;

  private static final int BAR_BYTES = 64 << 10;

  private final Arena arena = Arena.ofShared();
  private ModelMachine machine = Machines.of("tree", TREE);

  @AfterEach
  void close() {
    machine.close();
    arena.close();
  }

  private final class Peer {
    final MemorySegment memory = arena.allocate(BAR_BYTES, 4096);
    final TestDevice device =
        new TestDevice(
            List.of(new BarSpec(Bar.Kind.REGISTERS, 4096), BarSpec.NONE, new BarSpec(Bar.Kind.MEMORY, BAR_BYTES)), memory);
    final DeviceSlot slot;

    Peer(String address, SlotOptions options) {
      slot = machine.plug(new DeviceAddress(address), device, options);
      slot.busMaster(true);
    }

    Peer(String address) {
      this(address, SlotOptions.DEFAULT);
    }

    int write(long dmaAddress, long value) {
      MemorySegment word = arena.allocate(8);
      word.set(ValueLayout.JAVA_LONG, 0, value);
      return device.bus.write(dmaAddress, word, 0, 8);
    }

    int read(long dmaAddress) {
      return device.bus.read(dmaAddress, arena.allocate(8), 0, 8);
    }

    long word(long offset) {
      return memory.get(ValueLayout.JAVA_LONG, offset);
    }

    List<FaultRecord> faults() {
      return machine.faults(machine.addressSpaceFor(slot));
    }
  }

  private void rebuild(String tree, String... settings) {
    machine.close();
    String[] all = new String[settings.length + 2];
    System.arraycopy(settings, 0, all, 0, settings.length);
    all[settings.length] = "tree";
    all[settings.length + 1] = tree;
    machine = Machines.of(all);
  }

  private static List<String> names(PeerRoute route) {
    return route.hops().stream().map(FabricNode::name).toList();
  }

  private PeerRoute route(Peer from, Peer to) {
    return Objects.requireNonNull(machine.topology().route(from.slot, to.slot));
  }

  @Test
  void belowOneSwitchTheRouteTurnsAtItsUpstreamPort() {
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    assertThat(names(route(a, b))).containsExactly("0000:03:00.0", "0000:02:00.0", "0000:01:00.0", "0000:02:01.0", "0000:04:00.0");
    assertThat(route(a, b).distance()).isEqualTo(4);
    assertThat(names(route(b, a))).isEqualTo(names(route(a, b)).reversed());
    assertThat(route(a, b).passesHostBridge()).isFalse();
    assertThat(names(route(a, a))).containsExactly("0000:03:00.0");
  }

  @Test
  void functionsOfOneDeviceAreTwoLinksApart() {
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:03:00.1");
    assertThat(route(a, b).distance()).isEqualTo(2);
  }

  @Test
  void betweenRootPortsTheRoutePassesTheHostBridge() {
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:10:00.0");
    Peer c = new Peer("0000:41:00.0");
    assertThat(names(route(a, b))).containsSubsequence("0000:01:00.0", "0000:00:01.0", "0000:00", "0000:00:02.0", "0000:10:00.0");
    assertThat(route(a, b).passesHostBridge()).isTrue();
    assertThat(Objects.requireNonNull(route(a, b).providerBridge()).model()).isEqualTo("8086:2020");
    assertThat(names(route(a, c))).containsSubsequence("0000:00", "0000:40");
    assertThat(Objects.requireNonNull(route(a, c).providerBridge()).model()).isEqualTo("1022:1480");
  }

  @Test
  void nodesComeAfterTheNodeAboveThem() {
    new Peer("0000:03:00.0");
    List<FabricNode> nodes = machine.topology().nodes();
    assertThat(nodes).hasSize(9);
    for (int i = 0; i < nodes.size(); i++) {
      FabricNode above = nodes.get(i).uplink();
      assertThat(above == null || nodes.indexOf(above) < i).as("%s", nodes.get(i)).isTrue();
    }
  }

  @Test
  void everyChangeOfTheTreeChangesTheGeneration() {
    Topology topology = machine.topology();
    long first = topology.generation();
    Peer a = new Peer("0000:03:00.0");
    long plugged = topology.generation();
    assertThat(plugged).isGreaterThan(first);
    machine.accessControl("0000:02:00.0", "rr");
    long redirected = topology.generation();
    assertThat(redirected).isGreaterThan(plugged);
    machine.unplug(a.slot.address());
    assertThat(topology.generation()).isGreaterThan(redirected);
    assertThat(topology.node(a.slot)).isNull();
    assertThat(topology.route(a.slot, a.slot)).isNull();
  }

  @Test
  void aSwitchCarriesBusAddressesPastTheIommu() {
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    long address = b.slot.bar(2).busAddress() + 0x100;
    assertThat(a.write(address, 0x1234_5678_9abcL)).isEqualTo(BusMaster.OK);
    assertThat(b.word(0x100)).isEqualTo(0x1234_5678_9abcL);
    assertThat(a.read(address)).isEqualTo(BusMaster.OK);
    assertThat(a.faults()).isEmpty();
    assertThat(machine.stats().iotlbMisses()).isZero();
    assertThat(machine.peerBytes(a.slot)).isEqualTo(new PeerBytes(16, 0));
    assertThat(machine.peerBytes(b.slot)).isEqualTo(new PeerBytes(0, 0));
  }

  @Test
  void peersReachRegistersInWholeWordsOnly() {
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    long address = b.slot.bar(0).busAddress() + 8;
    assertThat(a.write(address, 0x0102_0304_0506_0708L)).isEqualTo(BusMaster.OK);
    assertThat(b.device.registers[1]).isEqualTo(0x0102_0304_0506_0708L);
    MemorySegment buffer = arena.allocate(12);
    assertThat(a.device.bus.read(address, buffer, 0, 12)).isEqualTo(BusMaster.OK);
    assertThat(buffer.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(0x0102_0304_0506_0708L);
    assertThat(a.device.bus.read(address + 1, buffer, 0, 4)).isEqualTo(BusMaster.COMPLETER_ABORT);
    assertThat(a.device.bus.read(address, buffer, 0, 3)).isEqualTo(BusMaster.COMPLETER_ABORT);
  }

  @ParameterizedTest
  @CsvSource({"0000:03:00.0, none", "0000:03:00.0, isolate", "0000:10:00.0, none"})
  void aFunctionDoesNotReachItsOwnMemoryThroughTheFabric(String address, String services) {
    machine.accessControl("0000:02:00.0", services);
    Peer own = new Peer(address);
    long busAddress = own.slot.bar(2).busAddress();
    assertThat(own.write(busAddress, 1)).as("by bus address").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(own.read(busAddress)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(own.write(translate(own, own), 1)).as("back from the host bridge").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(own.word(0)).isZero();
    assertThat(own.faults()).hasSize(3).allSatisfy(f -> assertThat(f.cause()).isEqualTo(FaultRecord.Cause.RESERVED));
    assertThat(machine.peerBytes(own.slot)).isEqualTo(new PeerBytes(0, 0));
    Peer sibling = new Peer(address.substring(0, address.length() - 1) + 1);
    assertThat(sibling.write(busAddress, 5)).as("another function of the device").isEqualTo(BusMaster.OK);
  }

  @ParameterizedTest
  @ValueSource(strings = {"rr", "ec", "isolate"})
  void redirectionSendsBusAddressesUpwardWhereTheyMeanNothing(String services) {
    machine.accessControl("0000:02:00.0", services);
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    assertThat(a.write(b.slot.bar(2).busAddress(), 1)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(b.word(0)).isZero();
    assertThat(a.faults()).singleElement().satisfies(f -> assertThat(f.cause()).isEqualTo(FaultRecord.Cause.NOT_PRESENT));
    assertThat(Objects.requireNonNull(route(a, b).firstRedirect()).name()).isEqualTo("0000:02:00.0");
    assertThat(b.write(a.slot.bar(2).busAddress(), 1)).as("the other way nothing redirects").isEqualTo(BusMaster.OK);
  }

  @Test
  void redirectedCompletionsNeedAHostBridgeThatForwards() {
    machine.accessControl("0000:02:01.0", "cr");
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    assertThat(a.read(b.slot.bar(2).busAddress())).isEqualTo(BusMaster.OK);
    rebuild(TREE.replace("bus=00-1f", "bus=00-1f forward=none"));
    machine.accessControl("0000:02:01.0", "cr");
    Peer c = new Peer("0000:03:00.0");
    Peer d = new Peer("0000:04:00.0");
    assertThat(c.read(d.slot.bar(2).busAddress())).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(c.write(d.slot.bar(2).busAddress(), 1)).isEqualTo(BusMaster.OK);
  }

  /** Map the page of a peer's BAR for a device and return its I/O address. */
  private long translate(Peer from, Peer to) {
    TableWalkingIommu iommu = (TableWalkingIommu) machine.addressSpaceFor(from.slot).iommu();
    TestTables tables = new TestTables(machine.memory(), iommu, TableFormat.VTD_SECOND_STAGE, 4);
    long iova = 0x7000_0000L;
    tables.map(iova, to.slot.bar(2).phys(), TestTables.RW);
    iommu.publish(iova, iova + 4095);
    return iova;
  }

  @ParameterizedTest
  @CsvSource({
    "any, any, 0000:10:00.0, true",
    "same, any, 0000:10:00.0, true",
    "none, any, 0000:10:00.0, false",
    "any, any, 0000:41:00.0, true",
    "same, any, 0000:41:00.0, false",
    "any, same, 0000:41:00.0, false"
  })
  void theHostBridgeForwardsTranslatedRequestsAsItIsMade(String first, String second, String address, boolean passes) {
    rebuild(TREE.replace("bus=00-1f", "bus=00-1f forward=" + first).replace("bus=40-4f", "bus=40-4f forward=" + second));
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer(address);
    long iova = translate(a, b);
    assertThat(a.write(iova + 8, 77)).isEqualTo(passes ? BusMaster.OK : BusMaster.UNSUPPORTED_REQUEST);
    assertThat(b.word(8)).isEqualTo(passes ? 77 : 0);
    assertThat(a.faults()).hasSize(passes ? 0 : 1);
    assertThat(machine.peerBytes(a.slot)).isEqualTo(new PeerBytes(0, passes ? 8 : 0));
  }

  @Test
  void registersThatAPeerReachesCountAsNoAccessOfTheCpu() {
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    assertThat(a.write(b.slot.bar(0).busAddress() + 8, 5)).isEqualTo(BusMaster.OK);
    assertThat(a.read(b.slot.bar(0).busAddress() + 8)).isEqualTo(BusMaster.OK);
    assertThat(b.device.registers[1]).isEqualTo(5);
    assertThat(machine.stats().mmioReads()).isZero();
    assertThat(machine.stats().mmioWrites()).isZero();
    b.slot.mmio(0).write32(8, b.slot.mmio(0).read32(8));
    assertThat(machine.stats().mmioReads()).isEqualTo(1);
    assertThat(machine.stats().mmioWrites()).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0000:00:01.0", "0000:01:00.0", "0000:40:01.0"})
  void noDeviceIsPluggedWhereAPortIs(String port) {
    assertThatThrownBy(() -> new Peer(port)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("is a port of the tree");
  }

  @Test
  void untranslatedRequestsReachPeersByPhysicalAddress() {
    SlotOptions none = SlotOptions.DEFAULT.withTranslation(Translation.NONE);
    Peer a = new Peer("0000:10:00.0", none);
    Peer b = new Peer("0000:41:00.0", none);
    assertThat(a.write(b.slot.bar(2).phys(), 5)).isEqualTo(BusMaster.OK);
    assertThat(b.word(0)).isEqualTo(5);
    assertThat(a.write(b.slot.bar(2).busAddress(), 6)).as("a bus address is none above the switch").isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
  }

  @Test
  void aHostBridgeMayHaveAnOffsetOfItsOwn() {
    rebuild(TREE.replace("bus=40-4f", "bus=40-4f offset=0x300000000000"));
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:41:00.0");
    assertThat(a.slot.bar(2).phys() - a.slot.bar(2).busAddress()).isEqualTo(0x1000_0000_0000L);
    assertThat(b.slot.bar(2).phys() - b.slot.bar(2).busAddress()).isEqualTo(0x3000_0000_0000L);
  }

  @Test
  void aBarThatDoesNotDecodeAnswersNobody() {
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    b.slot.config().write(4, 2, 0);
    assertThat(a.write(b.slot.bar(2).busAddress(), 1)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    machine.unplug(b.slot.address());
    assertThat(a.write(b.slot.bar(2).busAddress(), 1)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
  }

  @Test
  void devicesThatReachEachOtherPastTranslationAreOneGroup() {
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    Peer c = new Peer("0000:10:00.0");
    Peer d = new Peer("0000:10:00.1");
    assertThat(machine.addressSpaceFor(a.slot)).isSameAs(machine.addressSpaceFor(b.slot)).isNotSameAs(machine.addressSpaceFor(c.slot));
    assertThat(machine.addressSpaceFor(d.slot)).isSameAs(machine.addressSpaceFor(c.slot));
  }

  @Test
  void devicesOfOneBusBelowAPortAreOneGroupSinceNothingStandsBetweenThem() {
    Peer a = new Peer("0000:10:00.0");
    Peer b = new Peer("0000:10:01.0");
    assertThat(a.write(b.slot.bar(2).busAddress(), 7)).isEqualTo(BusMaster.OK);
    assertThat(machine.peerBytes(a.slot)).as("past translation").isEqualTo(new PeerBytes(8, 0));
    assertThat(machine.addressSpaceFor(a.slot)).isSameAs(machine.addressSpaceFor(b.slot));
    Peer c = new Peer("0000:00:03.0");
    Peer d = new Peer("0000:00:04.0");
    assertThat(c.write(d.slot.bar(2).busAddress(), 7)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(machine.addressSpaceFor(c.slot)).as("the host bridge stands between them").isNotSameAs(machine.addressSpaceFor(d.slot));
  }

  @Test
  void isolatingPortsMakeGroupsOfTheirOwn() {
    rebuild(TREE.replace("bus=03", "bus=03 acs=isolate").replace("bus=04", "bus=04 acs=sv+rr+cr+uf"));
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    assertThat(machine.addressSpaceFor(a.slot)).isNotSameAs(machine.addressSpaceFor(b.slot));
  }

  @Test
  void onePortThatDoesNotIsolateJoinsAllBelowTheSwitch() {
    rebuild(TREE.replace("bus=03", "bus=03 acs=isolate").replace("bus=04", "bus=04 acs=rr+cr"));
    Peer a = new Peer("0000:03:00.0");
    Peer b = new Peer("0000:04:00.0");
    assertThat(machine.addressSpaceFor(a.slot)).isSameAs(machine.addressSpaceFor(b.slot));
  }

  @Test
  void aPublishedPartOfABarIsPeerMemoryUntilItIsWithdrawn() {
    Peer a = new Peer("0000:03:00.0");
    long phys = a.slot.bar(2).phys();
    assertThat(machine.memory().regionOf(phys, 4096).kind()).isEqualTo(MemoryKind.MMIO);
    MemoryRegion region = a.slot.publish(2, 8192, 8192);
    assertThat(machine.memory().regionOf(phys + 8192, 8192)).isSameAs(region);
    assertThat(region.kind()).isEqualTo(MemoryKind.PEER);
    assertThat(Objects.requireNonNull(region.peer()).busAddress()).isEqualTo(a.slot.bar(2).busAddress() + 8192);
    assertThat(machine.memory().regionOf(phys, 4096).kind()).isEqualTo(MemoryKind.MMIO);
    assertThat(machine.memory().regionOf(phys + 4096, 8192).kind()).as("half of it published").isEqualTo(MemoryKind.MMIO);
    assertThatThrownBy(() -> a.slot.publish(2, 12288, 8192)).hasMessageContaining("published already");
    a.slot.withdraw(region);
    assertThat(machine.memory().regionOf(phys + 8192, 8192).kind()).isEqualTo(MemoryKind.MMIO);
  }

  @Test
  void aPublishedPartOutlivesItsDeviceAndIsRevoked() {
    Peer a = new Peer("0000:03:00.0");
    MemoryRegion region = a.slot.publish(2, 0, 4096);
    machine.unplug(a.slot.address());
    assertThat(Objects.requireNonNull(region.peer()).isRevoked()).isTrue();
    assertThat(machine.memory().regionOf(a.slot.bar(2).phys(), 4096)).isSameAs(region);
    a.slot.withdraw(region);
    assertThat(machine.memory().regionOf(a.slot.bar(2).phys(), 4096).kind()).isEqualTo(MemoryKind.ABSENT);
  }

  @Test
  void whatADevicePublishedIsRevokedAlsoIfItsModelFailsToClose() {
    TestDevice broken =
        new TestDevice(List.of(new BarSpec(Bar.Kind.MEMORY, BAR_BYTES)), arena.allocate(BAR_BYTES, 4096)) {
          @Override
          public void close() {
            throw new IllegalStateException("broken model");
          }
        };
    DeviceSlot slot = machine.plug(new DeviceAddress("0000:03:00.0"), broken, SlotOptions.DEFAULT);
    MemoryRegion region = slot.publish(0, 0, 4096);
    assertThatThrownBy(() -> machine.unplug(slot.address())).hasMessage("broken model");
    assertThat(Objects.requireNonNull(region.peer()).isRevoked()).isTrue();
  }

  @Test
  void noOtherFunctionGetsThePlaceOfABarThatIsStillPublished() {
    Peer a = new Peer("0000:03:00.0");
    Peer gone = new Peer("0000:04:00.0");
    long stale = gone.slot.bar(2).busAddress();
    MemoryRegion region = gone.slot.publish(2, 4096, 4096);
    machine.unplug(gone.slot.address());
    Peer next = new Peer("0000:04:00.0");
    assertThat(next.slot.bar(0).busAddress()).as("a BAR of which nothing is published").isEqualTo(gone.slot.bar(0).busAddress());
    assertThat(next.slot.bar(2).busAddress()).isNotEqualTo(stale);
    assertThat(a.write(stale, 1)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(next.word(0)).isZero();
    machine.unplug(next.slot.address());
    gone.slot.withdraw(region);
    assertThat(new Peer("0000:04:00.0").slot.bar(2).busAddress()).as("nobody can know the address any more").isEqualTo(stale);
  }

  @Test
  void aFlatMachineKnowsNoRoutesAndCarriesNothing() {
    machine.close();
    machine = Machines.of();
    Peer a = new Peer("0000:01:00.0");
    Peer b = new Peer("0000:01:00.1");
    assertThat(machine.topology()).isSameAs(Topology.NONE);
    assertThat(a.write(b.slot.bar(2).busAddress(), 1)).isEqualTo(BusMaster.UNSUPPORTED_REQUEST);
    assertThat(a.faults()).singleElement().satisfies(f -> assertThat(f.cause()).isEqualTo(FaultRecord.Cause.RESERVED));
    assertThatThrownBy(() -> machine.accessControl("0000:02:00.0", "rr")).hasMessageContaining("has no tree");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "bridge 8086:2020 bus=00 | it begins with host-bridge",
        "host-bridge 8086 bus=00 | vendor:device",
        "host-bridge 8086:2020 | its buses are missing",
        "host-bridge 8086:2020 bus=1f-00 | the last bus comes before the first",
        "host-bridge 8086:2020 bus=00-1f speed=5 | 'speed=5' must be",
        "host-bridge 8086:2020 bus=00-1f offset=5 | whole pages",
        "host-bridge 8086:2020 bus=00-1f offset=far | must be a number",
        "host-bridge 8086:2020 bus=00-1f forward=maybe | any, same or none",
        "host-bridge 8086:2020 bus=00-1f; host-bridge 8086:2020 bus=10-2f | overlap those of 0000:00",
        "host-bridge 8086:2020 bus=00-1f; root-port 01:01.0 bus=02 | nothing above it",
        "host-bridge 8086:2020 bus=00-1f; downstream-port 00:01.0 bus=02 | of the right kind",
        "host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=20 | must lie inside",
        "host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=01; root-port 00:01.0 bus=02 | address is taken",
        "host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=01 acs=rr+xx | 'xx' must be one of",
      })
  void treesThatCannotBeAreRefusedWithTheRule(String tree, String message) {
    assertThatThrownBy(() -> Machines.of("tree", tree)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining(message);
  }

  @Test
  void devicesGoWhereAPortHasTheirBus() {
    assertThatThrownBy(() -> new Peer("0000:07:00.0")).hasMessageContaining("has bus 07 just below it");
    assertThatThrownBy(() -> new Peer("0000:02:05.0")).hasMessageContaining("has bus 02 just below it");
  }
}
