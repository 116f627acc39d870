package io.twostep.machine.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.machine.linux.fake.FakeDevice;
import io.twostep.machine.linux.fake.FakeHost;
import io.twostep.machine.linux.fake.FakeKernel;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Memory of one device in the hands of another, where the kernel translates: two below one switch, and one below a root port beside it. */
class PeerMemoryTest {
  private static final int PAGE = 4096;
  private static final int PORT = 0x060400;
  private static final int NVME = 0x010802;
  private static final String SWITCH = "0000:00:01.0/0000:01:00.0/";
  private static final DeviceAddress PROVIDER = new DeviceAddress("0000:03:00.0");
  private static final DeviceAddress NEAR = new DeviceAddress("0000:04:00.0");
  private static final DeviceAddress FAR = new DeviceAddress("0000:05:00.0");

  /** What the fake's host bridge is. */
  private static final P2pConfig FORWARDING = new P2pConfig("1b36:0010=same");

  @TempDir Path root;
  private final FakeKernel kernel = new FakeKernel();
  private FakeHost host;
  private FakeDevice provider;
  private FakeDevice far;

  @BeforeEach
  void plug() {
    host =
        new FakeHost(root)
            .function("0000:00:00.0", 0x060000, "", -1)
            .function("0000:00:01.0", PORT, "pcieport", 1)
            .function("0000:00:02.0", PORT, "pcieport", 2)
            .function("0000:00:01.0/", "0000:01:00.0", PORT, "pcieport", 1)
            .function(SWITCH, "0000:02:00.0", PORT, "pcieport", 1)
            .function(SWITCH, "0000:02:01.0", PORT, "pcieport", 1)
            .function(SWITCH + "0000:02:00.0/", PROVIDER.text(), NVME, "vfio-pci", 1)
            .function(SWITCH + "0000:02:01.0/", NEAR.text(), NVME, "vfio-pci", 1)
            .function("0000:00:02.0/", FAR.text(), NVME, "vfio-pci", 2);
    provider = kernel.vfio().plug(1, PROVIDER.text());
    kernel.vfio().plug(1, NEAR.text());
    far = kernel.vfio().plug(2, FAR.text());
  }

  @AfterEach
  void everythingWasGivenBack() {
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void aDeviceBehindTheHostBridgeReachesThePeersMemoryByAnIoAddressOfTheKernel() {
    try (Peers peers = new Peers(FAR, FORWARDING)) {
      long before = kernel.vfio().pinned();
      try (DmaMapping mapping = peers.mapper.map(peers.memory.phys() + PAGE, PAGE, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE)) {
        assertThat(kernel.vfio().mappings(2)).isEqualTo(1);
        assertThat(kernel.vfio().pinned()).isEqualTo(before);
        assertThat(far.dmaWrite(mapping.dmaAddress() + 8, "peer".getBytes(StandardCharsets.US_ASCII))).isTrue();
        assertThat(provider.bar(2).asSlice(PAGE + 8, 4).toArray(ValueLayout.JAVA_BYTE)).isEqualTo("peer".getBytes(StandardCharsets.US_ASCII));
        assertThat(far.dmaRead(mapping.dmaAddress() + PAGE, 1)).isNull();
        long address = mapping.dmaAddress();
        mapping.unmap();
        assertThat(far.dmaWrite(address, new byte[1])).isFalse();
      }
      assertThat(kernel.vfio().mappings(2)).isZero();
    }
  }

  @Test
  void hostMemoryAndThePeersLieInOneWindow() {
    try (Peers peers = new Peers(FAR, FORWARDING);
        MemoryBlock block = peers.machine.memory().allocate(PAGE, MemoryPlacement.CONTIGUOUS);
        IovaReservation window = peers.mapper.newReservation()) {
      assertThat(window.tryAlloc(block.phys(0), 2 * PAGE, DmaDirection.TO_DEVICE, DmaAttributes.NONE)).isTrue();
      window.link(0, block.phys(0), PAGE);
      window.link(PAGE, peers.memory.phys(), PAGE);
      window.sync(0, 2 * PAGE);
      block.segment().setString(PAGE - 5, "host");
      provider.bar(2).setString(0, "peer");
      assertThat(far.dmaRead(window.address() + PAGE - 5, 4)).isEqualTo("host".getBytes(StandardCharsets.US_ASCII));
      assertThat(far.dmaRead(window.address() + PAGE, 4)).isEqualTo("peer".getBytes(StandardCharsets.US_ASCII));
      assertThat(far.dmaWrite(window.address() + PAGE, new byte[1])).isFalse();
      window.destroy();
    }
  }

  @Test
  void aDeviceBelowTheSameSwitchGetsTheBusAddressAndCostsTheKernelNothing() {
    try (Peers peers = new Peers(NEAR, FORWARDING);
        DmaMapping mapping = peers.mapper.map(peers.memory.phys(), PAGE, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE)) {
      assertThat(mapping.dmaAddress()).isEqualTo(peers.memory.range().busAddress());
      assertThat(kernel.vfio().mappings(1)).isZero();
      mapping.unmap();
    }
  }

  @Test
  void aSwitchThatRedirectsSendsTheSameDeviceThroughTheHostBridge() {
    host.accessControl("0000:02:00.0", 0x1d);
    try (Peers peers = new Peers(NEAR, FORWARDING);
        DmaMapping mapping = peers.mapper.map(peers.memory.phys(), PAGE, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE)) {
      assertThat(mapping.dmaAddress()).isNotEqualTo(peers.memory.range().busAddress());
      assertThat(kernel.vfio().mappings(1)).isEqualTo(1);
      mapping.unmap();
    }
  }

  @Test
  void aHostBridgeThatIsNotKnownToForwardIsNamed() {
    try (Peers peers = new Peers(FAR, P2pConfig.defaults())) {
      assertThatThrownBy(() -> peers.mapper.map(peers.memory.phys(), PAGE, DmaDirection.TO_DEVICE, DmaAttributes.NONE))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.PEER_UNREACHABLE))
          .hasMessageContaining("0000:00 (1b36:0010) is not known to forward")
          .hasMessageContaining("host-bridges");
      assertThat(kernel.vfio().mappings(2)).isZero();
    }
  }

  @Test
  void theKernelsRefusalLeavesNothingMapped() {
    try (Peers peers = new Peers(FAR, FORWARDING)) {
      kernel.nthCall().pick(1, Errno.EFAULT);
      assertThatThrownBy(() -> peers.mapper.map(peers.memory.phys(), PAGE, DmaDirection.TO_DEVICE, DmaAttributes.NONE))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED))
          .hasMessageContaining("0x%x+0x1000".formatted(peers.memory.phys()));
      assertThat(kernel.vfio().mappings(2)).isZero();
      assertThat(peers.memory.pins()).isZero();
    }
  }

  @Test
  void memoryThatIsTakenBackIsUnmappedFromItsPeers() {
    try (Peers peers = new Peers(FAR, FORWARDING);
        DmaMapping mapping = peers.mapper.map(peers.memory.phys(), PAGE, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE)) {
      long address = mapping.dmaAddress();
      assertThat(peers.memory.revoke().toCompletableFuture()).isCompleted();
      assertThat(far.dmaRead(address, 1)).isNull();
      assertThat(kernel.vfio().mappings(2)).isZero();
    }
  }

  @Test
  void mappingsOfAMachineThatWasClosedAreTornDownWithoutTheKernel() {
    Peers peers = new Peers(FAR, FORWARDING);
    MemoryBlock block = peers.machine.memory().allocate(PAGE, MemoryPlacement.CONTIGUOUS);
    DmaMapping mapping = peers.mapper.map(block.phys(0), PAGE, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
    peers.machine.close();
    mapping.unmap();
    assertThat(peers.mapper.quarantined()).isZero();
    assertThatThrownBy(() -> mapping.map(block.phys(0), PAGE, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE)).hasMessageContaining("closed");
    mapping.close();
    block.close();
    peers.close();
  }

  /** A machine on which the provider's BAR 2 is published, and a mapper of another device. */
  private final class Peers implements AutoCloseable {
    final LinuxMachine machine = LinuxMachine.open(LinuxMachineConfig.DEFAULT.withMemory(1 << 20).withPaths(host.paths()), kernel);
    final IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
    final P2pBackend p2p;
    final PeerMemory memory;
    final DmaMapper mapper;

    Peers(DeviceAddress importer, P2pConfig config) {
      p2p = new P2pBackend(config);
      memory = PeerMemory.publish(machine, machine.slot(PROVIDER), 2, 0, FakeDevice.BAR_LENGTH);
      DeviceSlot slot = machine.slot(importer);
      slot.busMaster(true);
      mapper = DmaStack.of(iommu, p2p).attach(machine, slot, DeviceLimits.ofBits(64));
    }

    @Override
    public void close() {
      mapper.close();
      memory.close();
      p2p.close();
      iommu.close();
      machine.close();
    }
  }
}
