package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Importer;
import io.twostep.dma.spi.PeerRange;
import io.twostep.dma.spi.Revocable;
import io.twostep.machine.model.FailNth;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Who is stopped at the deadline of a revocation, and who is not, when several devices used the memory. */
class RevocationDeadlineTest {
  private static final int PAGE = Rig.PAGE;
  private static final byte[] BYTES = Rig.pattern(64, 1);
  private static final long DEADLINE = 1_000;

  private static DmaMapper second(Rig rig) {
    return DmaStack.of(rig.terminal, rig.layers).attach(rig.seen, rig.nearMemory.provider(), DeviceLimits.UNLIMITED);
  }

  private static void assertQuarantined(CompletableFuture<Void> revoked, String named) {
    assertThatThrownBy(revoked::join)
        .isInstanceOf(CompletionException.class)
        .cause()
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED))
        .rootCause()
        .hasMessageContaining(named);
  }

  @Test
  void oneDeviceThatIsStoppedDoesNotHideThatAnotherCannotBeProvedAway() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaMapper second = second(rig);
        SparseWindow window = rig.mapper.newWindow(PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      DmaMapping mapping = second.map(rig.behindMemory.phys(), PAGE, BIDIRECTIONAL, NONE);
      assertThat(rig.near.tryWrite(mapping.dmaAddress(), BYTES)).isTrue();
      window.link(0, rig.behindMemory.phys(), PAGE, BIDIRECTIONAL);
      rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
      assertThatThrownBy(mapping::close).isInstanceOf(DmaMappingException.class);
      assertThat(second.quarantined()).isEqualTo(1);

      CompletableFuture<Void> revoked = rig.behindMemory.revoke(DEADLINE).toCompletableFuture();
      rig.pauseUntilDone(revoked);
      assertQuarantined(revoked, "0000:04:00.0");
      assertThat(rig.device.tryWrite(window.address(), BYTES)).as("held on").isFalse();
      second.newMapping().close();

      rig.nearMemory.provider().reset();
      assertThat(second.releaseQuarantined()).isZero();
      window.unlink(0, PAGE);
      assertThat(rig.behindMemory.range().importers()).isEmpty();
      assertThat(rig.behindMemory.pins()).isZero();
    }
  }

  /** Holds the memory beside the others, and does something when it is asked to stop. */
  private record AskedFirst(DeviceSlot device, Runnable asked) implements Importer {
    @Override
    public void revoked(Revocable memory) {}

    @Override
    public void stop() {
      asked.run();
    }
  }

  @Test
  void aDeviceThatCannotBeProvedAwayWhileOthersAreStoppedIsNotForgotten() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaMapper second = second(rig);
        SparseWindow window = second.newWindow(PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      PeerRange range = rig.behindMemory.range();
      AskedFirst first =
          new AskedFirst(
              rig.slot,
              () -> {
                // Its driver lets go just now, in vain.
                rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
                assertThatThrownBy(() -> window.unlink(0, PAGE)).isInstanceOf(DmaMappingException.class);
              });
      assertThat(range.add(first)).isTrue();
      window.link(0, rig.behindMemory.phys(), PAGE, BIDIRECTIONAL);

      CompletableFuture<Void> revoked = rig.behindMemory.revoke(DEADLINE).toCompletableFuture();
      rig.pauseUntilDone(revoked);
      assertQuarantined(revoked, "0000:04:00.0");
      assertThat(rig.behindMemory.pins()).as("held for the device that was not proved away").isEqualTo(1);

      range.remove(first);
      rig.nearMemory.provider().reset();
      assertThat(second.releaseQuarantined()).isZero();
      assertThat(rig.behindMemory.pins()).isZero();
    }
  }

  @Test
  void aDeviceThatWasStoppedIsAwayWhateverCannotBeProvedOfIt() {
    try (Rig rig = new Rig(Kind.IOMMU);
        SparseWindow window = rig.mapper.newWindow(2 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      window.link(0, rig.behindMemory.phys(), PAGE, BIDIRECTIONAL);
      window.link(PAGE, rig.behindMemory.phys() + PAGE, PAGE, BIDIRECTIONAL);
      rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
      assertThatThrownBy(() -> window.unlink(0, PAGE)).isInstanceOf(DmaMappingException.class);
      assertThat(rig.mapper.quarantined()).isEqualTo(1);

      CompletableFuture<Void> revoked = rig.behindMemory.revoke(DEADLINE).toCompletableFuture();
      rig.pauseUntilDone(revoked);
      assertThat(revoked).as("its only device is stopped").isCompleted();
      assertThat(rig.device.tryWrite(window.address() + PAGE, BYTES)).isFalse();

      window.unlink(PAGE, PAGE);
      rig.slot.reset();
      assertThat(rig.mapper.releaseQuarantined()).isZero();
      assertThat(rig.behindMemory.pins()).isZero();
    }
  }

  @Test
  void aWindowThatUnlinkedInTimeKeepsItsDevice() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaMapper second = second(rig);
        SparseWindow listens = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE);
        SparseWindow holdsOn = second.newWindow(PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      MemoryBlock block = rig.allocate(PAGE);
      listens.onRevoke(() -> listens.unlink(0, 2 * PAGE));
      listens.link(0, rig.behindMemory.phys(), 2 * PAGE, BIDIRECTIONAL);
      listens.link(2 * PAGE, block.phys(0), PAGE, BIDIRECTIONAL);
      holdsOn.link(0, rig.behindMemory.phys(), PAGE, BIDIRECTIONAL);
      CompletableFuture<Void> revoked = rig.behindMemory.revoke(DEADLINE).toCompletableFuture();
      assertThat(rig.behindMemory.range().importers()).extracting(Importer::device).containsExactly(second.slot());
      rig.pauseUntilDone(revoked);
      assertThat(revoked).isCompleted();
      assertThat(rig.device.tryWrite(listens.address() + 2 * PAGE, BYTES)).as("let go in time").isTrue();
      rig.mapper.map(block.phys(0), PAGE, BIDIRECTIONAL, NONE).close();
      assertThat(rig.near.tryWrite(holdsOn.address(), BYTES)).as("held on").isFalse();
      assertThatThrownBy(second::newMapping).isInstanceOf(DmaMappingException.class);
    }
  }

  @Test
  void unitsInABatchThatNobodyCompletesStopTheirDevice() {
    try (Rig rig = new Rig(Kind.IOMMU);
        SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE);
        InvalidationBatch batch = rig.mapper.newBatch()) {
      window.link(0, rig.behindMemory.phys(), 2 * PAGE, BIDIRECTIONAL);
      window.unlink(0, PAGE);
      window.unlink(PAGE, PAGE, batch);
      CompletableFuture<Void> revoked = rig.behindMemory.revoke(DEADLINE).toCompletableFuture();
      assertThat(rig.behindMemory.range().importers()).hasSize(1);
      rig.pauseUntilDone(revoked);
      assertThat(revoked).isCompleted();
      assertThatThrownBy(rig.mapper::newMapping).as("stopped").isInstanceOf(DmaMappingException.class);
      batch.complete();
      assertThat(rig.behindMemory.range().importers()).isEmpty();
    }
  }

  @Test
  @Tag("breaks:link-overlaps")
  void aWindowThatFailsToLinkIsNoImporter() {
    try (Rig rig = new Rig(Kind.IOMMU);
        SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      MemoryBlock block = rig.allocate(PAGE);
      window.link(PAGE, block.phys(0), PAGE, BIDIRECTIONAL);
      assertThatThrownBy(() -> window.link(0, rig.behindMemory.phys(), 2 * PAGE, BIDIRECTIONAL)).isInstanceOf(DmaMappingException.class);
      assertThat(window.link(2 * PAGE, TestRanges.of(rig.behindMemory.phys(), PAGE), BIDIRECTIONAL, (dmaAddress, length, kind) -> false)).isEqualTo(-1);
      assertThat(rig.behindMemory.range().importers()).isEmpty();
      assertThat(rig.behindMemory.pins()).isZero();
    }
  }
}
