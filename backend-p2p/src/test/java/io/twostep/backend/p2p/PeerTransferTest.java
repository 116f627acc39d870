package io.twostep.backend.p2p;

import static io.twostep.backend.p2p.ReasonAssert.assertReason;
import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.RangeKind.BRIDGE_PEER;
import static io.twostep.dma.RangeKind.BUS_PEER;
import static io.twostep.dma.RangeKind.LOCAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.SparseWindow;
import io.twostep.machine.model.PeerBytes;
import io.twostep.tck.ProbeDevice;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Requests with peers on every stack: how many entries, of which kind, how many windows and syncs, and where the bytes go. */
class PeerTransferTest {
  private static final int PAGE = Rig.PAGE;

  private static TestRanges localPeerLocal(MemoryBlock block, PeerMemory peer) {
    return TestRanges.of(block.phys(0), PAGE, peer.phys(), PAGE, block.phys(2 * PAGE), PAGE);
  }

  /** Lets the device write the request's entries and returns what it wrote. */
  private static byte[] deviceWrites(Rig rig, Entries entries, int salt) {
    int total = (int) entries.list.stream().mapToLong(Entries.Entry::length).sum();
    byte[] bytes = Rig.pattern(total, salt);
    int at = 0;
    for (Entries.Entry entry : entries.list) {
      byte[] part = java.util.Arrays.copyOfRange(bytes, at, at + (int) entry.length());
      assertThat(rig.device.tryWrite(entry.dmaAddress(), part)).as("write to 0x%x", entry.dmaAddress()).isTrue();
      at += part.length;
    }
    return bytes;
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = "UNTRUSTED", mode = EnumSource.Mode.EXCLUDE)
  void localBusLocalIsThreeEntriesAndOneWindowForTheTwoLocalRanges(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (DmaTransfer transfer = rig.mapper.newTransfer()) {
        Entries entries = new Entries();
        assertThat(transfer.map(localPeerLocal(block, rig.nearMemory), FROM_DEVICE, NONE, entries)).isEqualTo(3);
        assertThat(entries.kinds()).containsExactly(LOCAL, BUS_PEER, LOCAL);
        assertThat(entries.address(1)).isEqualTo(rig.nearMemory.range().busAddress());
        if (kind.translates) {
          assertThat(entries.address(2)).isEqualTo(entries.address(0) + PAGE);
        }
        assertThat(rig.counting.reserves).as("IOVA allocations").isEqualTo(kind.translates ? 1 : 0);
        assertThat(rig.counting.publishes).as("syncs").isEqualTo(kind.translates ? 1 : 0);
        byte[] written = deviceWrites(rig, entries, 3);
        transfer.unmap();
        assertThat(Rig.bytesOf(block, 0, PAGE)).isEqualTo(java.util.Arrays.copyOfRange(written, 0, PAGE));
        assertThat(rig.near.memory(0, PAGE)).isEqualTo(java.util.Arrays.copyOfRange(written, PAGE, 2 * PAGE));
        assertThat(Rig.bytesOf(block, 2 * PAGE, PAGE)).isEqualTo(java.util.Arrays.copyOfRange(written, 2 * PAGE, 3 * PAGE));
        assertThat(rig.machine.peerBytes(rig.slot)).isEqualTo(new PeerBytes(PAGE, 0));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void localBridgeLocalIsOneWindowWhereTranslatedAndThreeEntriesWhereNot(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (DmaTransfer transfer = rig.mapper.newTransfer()) {
        Entries entries = new Entries();
        transfer.map(localPeerLocal(block, rig.behindMemory), FROM_DEVICE, NONE, entries);
        if (kind.translates) {
          assertThat(entries.kinds()).containsExactly(LOCAL);
        } else {
          assertThat(entries.kinds()).containsExactly(LOCAL, BRIDGE_PEER, LOCAL);
          assertThat(entries.address(1)).as("never bounced").isEqualTo(rig.behindMemory.phys());
        }
        assertThat(rig.counting.reserves).isEqualTo(kind.translates ? 1 : 0);
        assertThat(rig.counting.publishes).isEqualTo(kind.translates ? 1 : 0);
        byte[] written = deviceWrites(rig, entries, 4);
        transfer.unmap();
        assertThat(rig.behind.memory(0, PAGE)).isEqualTo(java.util.Arrays.copyOfRange(written, PAGE, 2 * PAGE));
        assertThat(Rig.bytesOf(block, 2 * PAGE, PAGE)).isEqualTo(java.util.Arrays.copyOfRange(written, 2 * PAGE, 3 * PAGE));
        assertThat(rig.machine.peerBytes(rig.slot)).isEqualTo(new PeerBytes(0, PAGE));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void unreachablePeersAreRefusedAtTheDoorAndNothingIsMapped(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      String before = rig.accounts();
      try (DmaTransfer transfer = rig.mapper.newTransfer()) {
        Entries entries = new Entries();
        assertThatThrownBy(() -> transfer.map(localPeerLocal(block, rig.farMemory), FROM_DEVICE, NONE, entries))
            .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.PEER_UNREACHABLE))
            .hasMessageContaining("0000:03:00.0")
            .hasMessageContaining("the two meet at no switch")
            .hasMessageContaining("0000:40 (dead:beef) is not known to forward")
            .hasMessageContaining("copy through host memory");
        assertThat(entries.list).isEmpty();
        assertThat(rig.counting.reserves + rig.counting.maps + rig.counting.links).isZero();
        assertThat(rig.accounts()).isEqualTo(before);
        assertReason(Reason.PEER_UNREACHABLE, () -> transfer.plan(localPeerLocal(block, rig.farMemory)));
        assertReason(Reason.PEER_UNREACHABLE, () -> rig.mapper.map(rig.farMemory.phys(), PAGE, FROM_DEVICE, NONE));
        assertThat(rig.p2p.statistics().refused()).isEqualTo(3);
      }
    }
  }

  @Test
  void untrustedDevicesGetNoBusAddresses() {
    try (Rig rig = new Rig(Kind.UNTRUSTED);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      Entries entries = new Entries();
      MemoryBlock block = rig.allocate(3 * PAGE);
      assertThat(transfer.map(localPeerLocal(block, rig.nearMemory), BIDIRECTIONAL, NONE, entries)).isEqualTo(1);
      byte[] written = deviceWrites(rig, entries, 5);
      assertThat(rig.near.memory(0, PAGE)).isEqualTo(java.util.Arrays.copyOfRange(written, PAGE, 2 * PAGE));
      assertThat(rig.machine.peerBytes(rig.slot)).isEqualTo(new PeerBytes(0, PAGE));
      assertThat(rig.p2p.path(rig.machine, rig.slot, rig.nearMemory.provider()).reason()).contains("untrusted");
      transfer.unmap();
      assertReason(Reason.BOUNCE_FORBIDDEN, () -> rig.mapper.map(rig.nearMemory.phys() + 8, 100, FROM_DEVICE, NONE));
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void oneRangeOfPeerMemoryIsMappedAsTransfersMapIt(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      for (PeerMemory memory : List.of(rig.nearMemory, rig.behindMemory)) {
        ProbeDevice provider = memory == rig.nearMemory ? rig.near : rig.behind;
        try (DmaMapping mapping = rig.mapper.map(memory.phys() + PAGE, PAGE, BIDIRECTIONAL, NONE)) {
          boolean bus = kind != Kind.UNTRUSTED && memory == rig.nearMemory;
          if (bus) {
            assertThat(mapping.dmaAddress()).isEqualTo(memory.range().busAddress() + PAGE);
            assertThat(mapping.needsUnmap()).isFalse();
          }
          assertThat(mapping.needsSync()).as("peers are never cached").isFalse();
          mapping.syncForCpu(0, PAGE);
          byte[] bytes = Rig.pattern(PAGE, 9);
          assertThat(rig.device.tryWrite(mapping.dmaAddress(), bytes)).isTrue();
          assertThat(provider.memory(PAGE, PAGE)).isEqualTo(bytes);
          assertThat(rig.device.tryRead(mapping.dmaAddress(), PAGE)).isEqualTo(bytes);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void syncsOfMixedRequestsSkipThePeers(Kind kind) {
    try (Rig rig = new Rig(kind);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      long nearFirst = rig.nearMemory.phys();
      long bridgeFirst = rig.behindMemory.phys();
      rig.counting.synced =
          phys -> {
            assertThat(phys >= nearFirst && phys < nearFirst + Rig.PEER_BYTES).as("a near peer was synced").isFalse();
            assertThat(kind.translates || phys < bridgeFirst).as("a bridge peer was synced").isTrue();
          };
      MemoryBlock block = rig.allocate(4 * PAGE);
      TestRanges ranges =
          TestRanges.of(block.phys(0), PAGE, nearFirst, PAGE, block.phys(PAGE), PAGE, bridgeFirst, PAGE, block.phys(3 * PAGE), PAGE);
      Entries entries = new Entries();
      transfer.map(ranges, FROM_DEVICE, NONE, entries);
      byte[] written = deviceWrites(rig, entries, 6);
      transfer.syncForCpu(0, ranges.bytes());
      assertThat(Rig.bytesOf(block, 3 * PAGE, PAGE)).isEqualTo(java.util.Arrays.copyOfRange(written, 4 * PAGE, 5 * PAGE));
      transfer.syncForDevice(0, ranges.bytes());
      transfer.unmap();
      assertThat(rig.near.memory(0, PAGE)).isEqualTo(java.util.Arrays.copyOfRange(written, PAGE, 2 * PAGE));
      assertThat(rig.behind.memory(0, PAGE)).isEqualTo(java.util.Arrays.copyOfRange(written, 3 * PAGE, 4 * PAGE));
    }
  }

  @Test
  @Tag("breaks:bus-address-linked")
  void reservationsAndWindowsRefuseBusAddressesAndTakeBridgePeers() {
    try (Rig rig = new Rig(Kind.IOMMU);
        IovaReservation reservation = rig.mapper.newReservation();
        SparseWindow window = rig.mapper.newWindow(8 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      assertThat(reservation.tryAlloc(0, 4 * PAGE, BIDIRECTIONAL, NONE)).isTrue();
      assertReason(Reason.BUS_ADDRESS, () -> reservation.link(0, rig.nearMemory.phys(), PAGE));
      assertReason(Reason.BUS_ADDRESS, () -> reservation.link(0, TestRanges.of(rig.nearMemory.phys(), PAGE)));
      assertReason(Reason.BUS_ADDRESS, () -> window.link(0, rig.nearMemory.phys(), PAGE, BIDIRECTIONAL));
      long address = reservation.link(0, rig.behindMemory.phys(), PAGE);
      reservation.sync(0, PAGE);
      assertThat(rig.device.tryWrite(address, Rig.pattern(64, 1))).isTrue();
      assertThat(rig.behind.memory(0, 64)).isEqualTo(Rig.pattern(64, 1));
      long unit = window.link(PAGE, rig.behindMemory.phys() + PAGE, PAGE, BIDIRECTIONAL);
      assertThat(rig.device.tryWrite(unit, Rig.pattern(64, 2))).isTrue();
      assertThat(rig.behind.memory(PAGE, 64)).isEqualTo(Rig.pattern(64, 2));
      window.unlink(PAGE, PAGE);
      reservation.destroy();
    }
  }

  @Test
  void busAddressesBeyondTheDevicesMaskAreRefused() {
    // Small BARs lie below 4 GiB, memory of this machine below 64 MiB.
    try (Rig rig = new Rig(Kind.DIRECT, DeviceLimits.ofBits(31))) {
      assertReason(Reason.OUT_OF_REACH, () -> rig.mapper.map(rig.nearMemory.phys(), PAGE, FROM_DEVICE, NONE));
      MemoryBlock block = rig.allocate(3 * PAGE);
      String before = rig.accounts();
      try (DmaTransfer transfer = rig.mapper.newTransfer()) {
        assertReason(Reason.OUT_OF_REACH, () -> transfer.map(localPeerLocal(block, rig.nearMemory), FROM_DEVICE, NONE, new Entries()));
        assertThat(rig.accounts()).isEqualTo(before);
      }
    }
  }

  @Test
  void withoutTheLayerPeersAreRefusedByTheTerminal() {
    for (Kind kind : List.of(Kind.DIRECT, Kind.IOMMU)) {
      try (Rig rig = new Rig(kind);
          var bare = io.twostep.dma.DmaStack.of(rig.terminal).attach(rig.seen, rig.slot, DeviceLimits.UNLIMITED)) {
        assertThatThrownBy(() -> bare.map(rig.nearMemory.phys(), PAGE, FROM_DEVICE, NONE)).hasMessageContaining("add the p2p layer");
      }
    }
  }

  /** Fails every call below the layer once: whatever was done before it is undone, and the next request goes through. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void whicheverCallFailsNothingIsLeftBehind(Kind kind) {
    try (Rig rig = new Rig(kind);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(8 * PAGE);
      TestRanges ranges =
          TestRanges.of(
              block.phys(0) + 16, PAGE - 16, rig.nearMemory.phys(), PAGE, block.phys(2 * PAGE), 512, rig.behindMemory.phys(), 2 * PAGE, block.phys(5 * PAGE), 100);
      int failed = 0;
      boolean fails = true;
      for (int n = 1; fails; n++) {
        rig.mapper.awaitQuiescence();
        String before = rig.accounts();
        rig.counting.failIn = n;
        try {
          transfer.map(ranges, DmaDirection.BIDIRECTIONAL, NONE, new Entries());
          fails = false;
          transfer.unmap();
        } catch (DmaMappingException e) {
          assertThat(e.reason()).isEqualTo(Reason.BACKEND);
          failed++;
        }
        rig.counting.failIn = 0;
        rig.mapper.awaitQuiescence();
        assertThat(rig.accounts()).as("after call %d failed", n).isEqualTo(before);
      }
      assertThat(failed).isPositive();
    }
  }
}
