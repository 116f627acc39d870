package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static io.twostep.dma.RangeKind.BRIDGE_PEER;
import static io.twostep.dma.RangeKind.BUS_PEER;
import static io.twostep.dma.RangeKind.LOCAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.DirectTerminal;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.PeerLayer;
import io.twostep.dma.fake.Rig;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The six states of a request and their mixes: how many entries, which kinds, and how many windows. */
class TransferStatesTest {
  private static final long PAGE = 4096;

  private final Entries entries = new Entries();

  private static Ranges localPeerLocal(Rig rig, FakeBlock peer) {
    FakeBlock block = rig.allocate(8 * PAGE, MemoryPlacement.SCATTERED);
    return Ranges.of(block.phys(0), PAGE, peer.phys(0), PAGE, block.phys(2 * PAGE), PAGE);
  }

  private long map(Rig rig, Ranges ranges) {
    return rig.mapper.newTransfer().map(ranges, TO_DEVICE, NONE, entries);
  }

  private int[] kinds() {
    return entries.list.stream().mapToInt(Entries.Entry::kind).toArray();
  }

  @Test
  void directRangesAreOneEntryEach() {
    Rig rig = new Rig(Rig.Kind.DIRECT);
    FakeBlock block = rig.allocate(3 * PAGE, MemoryPlacement.SCATTERED);
    assertThat(map(rig, Ranges.of(block.phys(10), 100, block.phys(PAGE), PAGE))).isEqualTo(2);
    assertThat(entries.list.getFirst().dmaAddress()).isEqualTo(block.phys(10) + DirectTerminal.OFFSET);
  }

  @Test
  void rangesThatMeetAreOneEntryWhereverTheyMeet() {
    Rig rig = new Rig(Rig.Kind.DIRECT);
    FakeBlock block = rig.allocate(3 * PAGE, MemoryPlacement.CONTIGUOUS);
    assertThat(map(rig, Ranges.of(block.phys(10), 100, block.phys(110), 5, block.phys(115), PAGE))).isEqualTo(1);
  }

  @Test
  void pagesBehindAnIommuAreOneWindowAndOneEntry() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    FakeBlock block = rig.allocate(3 * PAGE, MemoryPlacement.SCATTERED);
    Ranges ranges = Ranges.of(block.phys(100), PAGE - 100, block.phys(2 * PAGE), PAGE, block.phys(PAGE), 7);
    assertThat(rig.mapper.newTransfer().plan(ranges).isOneWindow()).isTrue();
    assertThat(map(rig, ranges)).isEqualTo(1);
    assertThat(rig.terminal.granulesUsed()).isEqualTo(3);
  }

  @Test
  void gapsBehindAnIommuAreOneWindowAndOneEntryForEachStretch() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    FakeBlock block = rig.allocate(3 * PAGE, MemoryPlacement.SCATTERED);
    Ranges ranges = Ranges.of(block.phys(0), 512, block.phys(PAGE + 512), 512, block.phys(2 * PAGE), PAGE);
    assertThat(rig.mapper.newTransfer().plan(ranges).isOneWindow()).isFalse();
    assertThat(rig.mapper.newTransfer().plan(ranges).gapMask() & 511).isZero();
    assertThat(rig.mapper.newTransfer().plan(ranges).gapMask() & 4095).isEqualTo(0x600);
    assertThat(map(rig, ranges)).isEqualTo(3);
    assertThat(rig.isUnreachable(entries.list.get(2).dmaAddress() + PAGE)).as("nothing beyond is mapped").isTrue();
  }

  @Test
  void oneRangeTakesTheSingleRangePath() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    FakeBlock block = rig.allocate(3 * PAGE, MemoryPlacement.CONTIGUOUS);
    rig.faults.failAt(0);
    assertThatThrownBy(() -> map(rig, Ranges.of(block.phys(0), PAGE))).hasMessageContaining("injected failure of map");
  }

  @Test
  void busPeersAreTheirBusAddresses() {
    Rig rig = new Rig(Rig.Kind.PEER_TRANSLATING);
    assertThat(map(rig, Ranges.of(rig.bus.phys(0), PAGE, rig.bus.phys(4 * PAGE), PAGE))).isEqualTo(2);
    assertThat(entries.list.getFirst().dmaAddress()).isEqualTo(rig.bus.phys(0) + PeerLayer.BUS);
    assertThat(kinds()).containsExactly(BUS_PEER, BUS_PEER);
    assertThat(rig.terminal.granulesUsed()).isZero();
  }

  @Test
  void peersOfTwoDevicesNextToEachOtherStayTwoEntries() {
    Rig rig = new Rig(Rig.Kind.PEER_DIRECT);
    FakeBlock other = rig.memory.other(io.twostep.dma.spi.MemoryKind.PEER, "bus", 1);
    FakeBlock next = rig.memory.other(io.twostep.dma.spi.MemoryKind.PEER, "bus", 1);
    assertThat(next.phys(0)).isEqualTo(other.phys(0) + PAGE);
    assertThat(map(rig, Ranges.of(other.phys(0), PAGE, next.phys(0), PAGE))).isEqualTo(2);
  }

  @Test
  void localBusLocalBehindAnIommuIsThreeEntriesAndOneWindow() {
    Rig rig = new Rig(Rig.Kind.PEER_TRANSLATING);
    assertThat(map(rig, localPeerLocal(rig, rig.bus))).isEqualTo(3);
    assertThat(kinds()).containsExactly(LOCAL, BUS_PEER, LOCAL);
    assertThat(rig.terminal.granulesUsed()).isEqualTo(2);
    assertThat(entries.list.get(2).dmaAddress()).isEqualTo(entries.list.get(0).dmaAddress() + PAGE);
  }

  @Test
  void localBridgeLocalBehindAnIommuIsOneEntryAndOneWindow() {
    Rig rig = new Rig(Rig.Kind.PEER_TRANSLATING);
    assertThat(map(rig, localPeerLocal(rig, rig.bridge))).isEqualTo(1);
    assertThat(rig.terminal.granulesUsed()).isEqualTo(3);
  }

  @Test
  void localPeerLocalOnADirectStackIsThreeEntries() {
    Rig rig = new Rig(Rig.Kind.PEER_DIRECT);
    assertThat(map(rig, localPeerLocal(rig, rig.bridge))).isEqualTo(3);
    assertThat(kinds()).containsExactly(LOCAL, BRIDGE_PEER, LOCAL);
  }

  @Test
  void anUnreachablePeerRefusesTheWholeRequest() {
    for (Rig.Kind kind : new Rig.Kind[] {Rig.Kind.PEER_TRANSLATING, Rig.Kind.PEER_DIRECT, Rig.Kind.TRANSLATING}) {
      Rig rig = new Rig(kind);
      Ranges ranges = localPeerLocal(rig, rig.far);
      assertThatThrownBy(() -> map(rig, ranges))
          .isInstanceOfSatisfying(
              DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.PEER_UNREACHABLE));
      assertThat(entries.list).isEmpty();
      assertThat(rig.memory.pins()).isZero();
      assertThat(rig.terminal.granulesUsed()).isZero();
    }
  }

  @Test
  @Tag("breaks:outside-mapping")
  void anEmptySourceIsMappedWithoutEntries() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    DmaTransfer transfer = rig.mapper.newTransfer();
    assertThat(transfer.map(new Ranges(), TO_DEVICE, NONE, entries)).isZero();
    assertThat(transfer.length()).isZero();
    assertThatThrownBy(() -> transfer.syncForCpu(0, 1)).isInstanceOf(IllegalArgumentException.class);
    transfer.unmap();
  }

  @Test
  @Tag("breaks:too-many-overlaps")
  void requestsOfOneRunAreReadOnceAndLongerOnesTwice() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    FakeBlock block = rig.allocate(8 * PAGE, MemoryPlacement.SCATTERED);
    for (int count : new int[] {1, 2, 255, 256, 257, 600}) {
      Ranges ranges = new Ranges();
      for (int i = 0; i < count; i++) {
        ranges.add(block.phys(i % 8 * PAGE), PAGE);
      }
      try (DmaTransfer transfer = rig.mapper.newTransfer()) {
        transfer.map(ranges, TO_DEVICE, NONE, entries);
        assertThat(ranges.passes).as("passes over %d ranges", count).isEqualTo(count <= 256 ? 1 : 2);
      }
    }
  }

  @Test
  void entriesAreCutToTheDevicesLimitsAndNeverPadded() {
    DeviceLimits limits = DeviceLimits.UNLIMITED.withMaxSegmentLength(3000).withSegmentBoundaryMask(0x1FFF);
    Rig rig = new Rig(Rig.Kind.TRANSLATING, 4096, limits);
    FakeBlock block = rig.allocate(4 * PAGE, MemoryPlacement.SCATTERED);
    map(rig, Ranges.of(block.phys(0), PAGE, block.phys(PAGE), PAGE, block.phys(2 * PAGE), PAGE));
    assertThat(entries.bytes()).isEqualTo(3 * PAGE);
    assertThat(entries.list.stream().map(Entries.Entry::length)).containsExactly(3000L, 3000L, 2192L, 3000L, 1096L);
  }

  @Test
  void tooManyEntriesAreRefusedAndUndone() {
    Rig rig = new Rig(Rig.Kind.DIRECT, 4096, DeviceLimits.UNLIMITED.withMaxSegments(2));
    FakeBlock block = rig.allocate(4 * PAGE, MemoryPlacement.SCATTERED);
    Ranges ranges = Ranges.of(block.phys(0), 1, block.phys(PAGE), 1, block.phys(2 * PAGE), 1);
    assertThatThrownBy(() -> map(rig, ranges))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.OUT_OF_BOUNDS));
    DmaTransfer transfer = rig.mapper.newTransfer();
    transfer.begin(100, FROM_DEVICE, NONE);
    assertThat(transfer.add(block.phys(0), 1)).isTrue();
    assertThat(transfer.add(block.phys(PAGE), 1)).isTrue();
    assertThat(transfer.add(block.phys(2 * PAGE), 1)).as("more than the device takes").isFalse();
    assertThat(transfer.finish(entries)).isEqualTo(2);
    assertThat(rig.memory.pins()).isEqualTo(1);
  }

  @Test
  void aSinkThatThrowsUndoesEverything() {
    Rig rig = new Rig(Rig.Kind.BOUNCE_TRANSLATING);
    FakeBlock block = rig.allocate(4 * PAGE, MemoryPlacement.SCATTERED);
    String before = rig.accounts();
    DmaTransfer transfer = rig.mapper.newTransfer();
    assertThatThrownBy(
            () ->
                transfer.map(
                    Ranges.of(block.phys(0), 1, block.phys(PAGE), 1),
                    TO_DEVICE,
                    NONE,
                    (dmaAddress, length, kind) -> {
                      throw new IllegalArgumentException("mine");
                    }))
        .hasMessage("mine");
    assertThat(rig.accounts()).isEqualTo(before);
  }

  @ParameterizedTest
  @EnumSource
  void aSinkMayRefuseWhicheverEntry(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    FakeBlock block = rig.allocate(16 * PAGE, MemoryPlacement.CONTIGUOUS);
    Ranges gapped = Ranges.of(block.phys(0), 100, block.phys(2 * PAGE), 100, block.phys(4 * PAGE), 100, block.phys(6 * PAGE), 100, block.phys(8 * PAGE), 100);
    String before = rig.accounts();
    DmaTransfer transfer = rig.mapper.newTransfer();
    for (int refused = 0; refused < 5; refused++) {
      Entries taken = new Entries();
      taken.refuseAt = refused;
      assertThat(transfer.map(gapped, TO_DEVICE, NONE, taken)).as("entry %d", refused).isEqualTo(-1);
      assertThat(taken.list).as("entry %d", refused).hasSize(refused);
      assertThat(taken.refusals).as("refusals from entry %d on", refused).isEqualTo(1);
      assertThat(rig.accounts()).as("entry %d", refused).isEqualTo(before);
    }
    Entries all = new Entries();
    assertThat(transfer.map(gapped, TO_DEVICE, NONE, all)).isEqualTo(5);
    assertThat(all.readAll(rig)).hasSize(500);
  }

  @Test
  void aRefusalThatCannotBeUndoneIsNoResult() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    FakeBlock block = rig.allocate(4 * PAGE, MemoryPlacement.SCATTERED);
    ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", block.ranges());
    ImportedBuffer imported = exported.attach(rig.mapper, () -> {});
    DmaTransfer transfer = rig.mapper.newTransfer();
    DmaSink refusing =
        (dmaAddress, length, kind) -> {
          rig.faults.failAt(0);
          return false;
        };
    for (ThrowingCallable map : List.<ThrowingCallable>of(
        () -> transfer.map(block.ranges(), TO_DEVICE, NONE, refusing), () -> imported.map(TO_DEVICE, NONE, refusing))) {
      assertThatThrownBy(map)
          .as("not -1: it is not undone")
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED))
          .hasMessageContaining("the sink refused entry 0")
          .rootCause()
          .hasMessageContaining("injected failure of release");
      rig.faults.off();
      assertThat(rig.mapper.liveMappings()).isZero();
      assertThat(rig.mapper.quarantined()).isEqualTo(1);
      assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
      assertThat(rig.mapper.releaseQuarantined()).isZero();
    }
    assertThat(transfer.map(block.ranges(), TO_DEVICE, NONE, (dmaAddress, length, kind) -> false)).isEqualTo(-1);
    exported.close();
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  @Tag("breaks:never-mapped")
  void aTransferThatBecameOneEntryHasAnAddress() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    FakeBlock block = rig.allocate(4 * 4096, MemoryPlacement.SCATTERED);
    DmaTransfer transfer = rig.mapper.newTransfer();
    Entries entries = new Entries();
    assertThatThrownBy(transfer::dmaAddress).isInstanceOf(IllegalStateException.class);
    assertThat(transfer.map(block.ranges(), DmaDirection.TO_DEVICE, DmaAttributes.NONE, entries)).isEqualTo(1);
    assertThat(transfer.dmaAddress()).isEqualTo(entries.list.getFirst().dmaAddress());
    assertThat(transfer.entries()).isEqualTo(1);
    transfer.unmap();
    Rig direct = new Rig(Rig.Kind.DIRECT);
    FakeBlock scattered = direct.allocate(4 * 4096, MemoryPlacement.SCATTERED);
    DmaTransfer several = direct.mapper.newTransfer();
    assertThat(several.map(scattered.ranges(), DmaDirection.TO_DEVICE, DmaAttributes.NONE, new Entries())).isGreaterThan(1);
    assertThatThrownBy(several::dmaAddress).isInstanceOf(IllegalStateException.class).hasMessageContaining("nvme0").hasMessageContaining("entries");
    several.close();
  }
}
