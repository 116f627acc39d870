package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.RangeKind;
import io.twostep.dma.SparseWindow;
import io.twostep.tck.FaultPlan.Call;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What is special about peers where a host kernel translates: runs that go whole, refusals in the middle, unmaps that are not confirmed. */
class HostedPeerTest {
  private static final int PAGE = Rig.PAGE;
  private static final byte[] BYTES = Rig.pattern(64, 1);

  @Test
  void aBridgePeerBetweenHostMemoryIsARunOfItsOwnInOneWindow() {
    try (Rig rig = new Rig(Kind.HOST);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      Entries entries = new Entries();
      transfer.map(TestRanges.of(block.phys(0), PAGE, rig.behindMemory.phys(), PAGE, block.phys(PAGE), PAGE), BIDIRECTIONAL, NONE, entries);
      assertThat(entries.list).hasSize(1);
      assertThat(rig.host.mappings()).isEqualTo(3);
      assertThat(rig.counting.reserves).isEqualTo(1);
      assertThat(rig.device.tryWrite(entries.address(0) + PAGE - 32, BYTES)).isTrue();
      assertThat(Rig.bytesOf(block, PAGE - 32, 32)).isEqualTo(Rig.pattern(32, 1));
      assertThat(rig.behind.memory(0, 32)).isEqualTo(Arrays.copyOfRange(BYTES, 32, 64));
      transfer.unmap();
      assertThat(rig.host.mappings()).isZero();
      assertThat(rig.device.tryWrite(entries.address(0), BYTES)).isFalse();
    }
  }

  @Test
  void aBusPeerCostsTheHostNothing() {
    try (Rig rig = new Rig(Kind.HOST);
        DmaMapping mapping = rig.mapper.map(rig.nearMemory.phys(), PAGE, BIDIRECTIONAL, NONE)) {
      assertThat(mapping.dmaAddress()).isEqualTo(rig.nearMemory.range().busAddress());
      assertThat(rig.host.mappings()).isZero();
      assertThat(rig.device.tryWrite(mapping.dmaAddress(), BYTES)).isTrue();
      assertThat(rig.near.memory(0, 64)).isEqualTo(BYTES);
      mapping.unmap();
    }
  }

  @Test
  void directionIsThePermissionOfThePeerToo() {
    try (Rig rig = new Rig(Kind.HOST);
        DmaMapping mapping = rig.mapper.map(rig.behindMemory.phys(), PAGE, TO_DEVICE, NONE)) {
      assertThat(rig.device.tryRead(mapping.dmaAddress(), 64)).isNotNull();
      assertThat(rig.device.tryWrite(mapping.dmaAddress(), BYTES)).isFalse();
      mapping.unmap();
    }
  }

  @Test
  void aRefusalInTheMiddleLeavesNothingAndNamesDeviceRangeAndRemedy() {
    try (Rig rig = new Rig(Kind.HOST);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      String before = rig.accounts();
      for (int run = 0; run < 3; run++) {
        rig.host.faults.arm(Call.HOST_MAP, run + 1);
        assertThatThrownBy(
                () ->
                    transfer.map(
                        TestRanges.of(block.phys(0), PAGE, rig.behindMemory.phys(), PAGE, block.phys(PAGE), PAGE, rig.nearMemory.phys(), PAGE),
                        BIDIRECTIONAL,
                        NONE,
                        new Entries()))
            .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.PIN_LIMIT))
            .hasMessageContaining("0000:03:00.0")
            .hasMessageContaining("0x%x+0x1000".formatted(run == 0 ? block.phys(0) : run == 1 ? rig.behindMemory.phys() : block.phys(PAGE)))
            .hasMessageContaining("locked memory");
        assertThat(rig.accounts()).isEqualTo(before);
      }
      rig.host.faults.arm(Call.HOST_MAP, 1);
      assertThatThrownBy(() -> rig.mapper.map(rig.behindMemory.phys(), PAGE, BIDIRECTIONAL, NONE))
          .isInstanceOf(DmaMappingException.class)
          .hasMessageContaining("0x%x+0x1000".formatted(rig.behindMemory.phys()));
      assertThat(rig.accounts()).isEqualTo(before);
    }
  }

  @Test
  void unitsOfAWindowOverAPeerGoOneByOne() {
    try (Rig rig = new Rig(Kind.HOST);
        SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      window.link(0, rig.behindMemory.phys(), 3 * PAGE, BIDIRECTIONAL);
      assertThat(rig.host.mappings()).isEqualTo(3);
      window.unlink(PAGE, PAGE);
      assertThat(rig.device.tryWrite(window.address() + PAGE, BYTES)).isFalse();
      assertThat(rig.device.tryWrite(window.address() + 2 * PAGE, BYTES)).isTrue();
      assertThat(rig.behind.memory(2 * PAGE, 64)).isEqualTo(BYTES);
    }
  }

  @Test
  void whatTheHostDoesNotConfirmToHaveUnmappedKeepsThePeersMemory() {
    try (Rig rig = new Rig(Kind.HOST)) {
      PeerBlock block = rig.behindMemory.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(), PAGE, BIDIRECTIONAL, NONE);
      rig.host.faults.arm(Call.HOST_UNMAP, 1);
      CompletableFuture<Void> revoked = rig.behindMemory.revoke(1_000).toCompletableFuture();
      assertThat(rig.mapper.quarantined()).isEqualTo(1);
      rig.pauseUntilDone(revoked);
      assertThat(revoked).isCompletedExceptionally();
      assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(rig.behindMemory::close).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(mapping::close).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED));
      rig.slot.reset();
      assertThat(rig.mapper.releaseQuarantined()).isZero();
      block.close();
    }
  }

  @Test
  void granulesBelowAFrameKeepTheOtherHalfOfAPageFromTheDevice() {
    try (Rig rig = new Rig(Kind.HOST_2K)) {
      assertThat(rig.mapper.limits().granule()).isEqualTo(PAGE / 2);
      MemoryBlock block = rig.allocate(PAGE);
      for (long phys : new long[] {block.phys(PAGE / 2), rig.behindMemory.phys() + PAGE / 2}) {
        try (DmaMapping mapping = rig.mapper.map(phys, 100, BIDIRECTIONAL, NONE)) {
          assertThat(rig.device.tryWrite(mapping.dmaAddress() + PAGE / 2 - 64, BYTES)).isTrue();
          assertThat(rig.device.tryWrite(mapping.dmaAddress() - 64, BYTES)).isFalse();
          assertThat(rig.device.tryWrite(mapping.dmaAddress() + PAGE / 2, BYTES)).isFalse();
        }
      }
    }
  }

  @Test
  void kindsAreThoseOfTheFabricAndNotOfTheHost() {
    try (Rig rig = new Rig(Kind.HOST);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(PAGE);
      Entries entries = new Entries();
      transfer.map(TestRanges.of(block.phys(0), PAGE, rig.nearMemory.phys(), PAGE), BIDIRECTIONAL, NONE, entries);
      assertThat(entries.kinds()).containsExactly(RangeKind.LOCAL, RangeKind.BUS_PEER);
      transfer.unmap();
      assertThatThrownBy(() -> rig.mapper.map(rig.farMemory.phys(), PAGE, BIDIRECTIONAL, NONE))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.PEER_UNREACHABLE));
    }
  }
}
