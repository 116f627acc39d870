package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What holds an exported buffer's memory, and until when. */
class ExportedBufferTest {
  private static final long PAGE = 4096;

  private final Rig rig = new Rig(Rig.Kind.TRANSLATING);
  private final FakeBlock block = rig.allocate(2 * PAGE, MemoryPlacement.SCATTERED);
  private final ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", block.ranges());

  @Test
  void memoryIsHeldUntilAnImporterThatHasOnlyBegunToMapLetsGo() {
    assertThat(exported.lease().region().tryPin()).as("an importer's first step").isTrue();
    CompletableFuture<Void> revoked = exported.revoke().toCompletableFuture();
    assertThat(revoked).isNotDone();
    assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
    exported.lease().region().unpin();
    assertThat(revoked).isCompleted();
    block.close();
    exported.close();
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  void whoLetsGoWhileTheDeadlinePassesNeedsNoDeviceStopped() {
    assertThat(exported.lease().region().tryPin()).as("an importer between its last steps").isTrue();
    CompletableFuture<Void> revoked = exported.revoke(100).toCompletableFuture();
    rig.machine.timers().pause();
    exported.lease().region().unpin();
    assertThat(revoked).isCompleted();
    exported.restore();
    exported.close();
    block.close();
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  void whatAStoppedDeviceWroteDoesNotComeLater() {
    Rig bouncing = new Rig(Rig.Kind.BOUNCE_DIRECT);
    FakeBlock memory = bouncing.allocate(PAGE, MemoryPlacement.CONTIGUOUS);
    ExportedBuffer frame = ExportedBuffer.of(bouncing.machine, "frame", memory.ranges());
    ImportedBuffer imported = frame.attach(bouncing.mapper, () -> {});
    bouncing.deviceWrite(imported.mapLinear(FROM_DEVICE, NONE, LinearPolicy.IN_PLACE), (byte) 1);
    CompletableFuture<Void> revoked = frame.revoke(100).toCompletableFuture();
    assertThat(revoked).isNotDone();
    bouncing.machine.timers().pause();
    assertThat(revoked).as("its device is stopped").isCompleted();
    bouncing.memory.put(memory.phys(0), (byte) 2);
    imported.unmap();
    assertThat(bouncing.memory.get(memory.phys(0))).as("the owner's").isEqualTo((byte) 2);
    assertThat(bouncing.slotsUsed()).isZero();
    imported.close();
    frame.close();
    memory.close();
  }

  @Test
  void whatADeviceWroteComesWhereItsDriverLetsGoInTime() {
    Rig bouncing = new Rig(Rig.Kind.BOUNCE_DIRECT);
    FakeBlock memory = bouncing.allocate(PAGE, MemoryPlacement.CONTIGUOUS);
    ExportedBuffer frame = ExportedBuffer.of(bouncing.machine, "frame", memory.ranges());
    ImportedBuffer imported = frame.attach(bouncing.mapper, () -> {});
    bouncing.deviceWrite(imported.mapLinear(FROM_DEVICE, NONE, LinearPolicy.IN_PLACE), (byte) 1);
    CompletableFuture<Void> revoked = frame.revoke(100).toCompletableFuture();
    imported.unmap();
    assertThat(revoked).isCompleted();
    assertThat(bouncing.memory.get(memory.phys(0))).isEqualTo((byte) 1);
    imported.close();
    frame.close();
  }

  @Test
  void nobodyKnownToStopAtTheDeadlineMeansQuarantine() {
    assertThat(exported.lease().region().tryPin()).isTrue();
    CompletableFuture<Void> revoked = exported.revoke(100).toCompletableFuture();
    rig.machine.timers().pause();
    assertThat(rig.machine.timers().nanoTime()).isEqualTo(100);
    assertThat(revoked).as("it may be about to let go").isNotDone();
    rig.machine.timers().pause();
    assertThat(revoked).isCompletedExceptionally();
    assertThatThrownBy(exported::restore).isInstanceOf(IllegalStateException.class).hasMessageContaining("frame");
    exported.lease().region().unpin();
    exported.restore();
    ImportedBuffer imported = exported.attach(rig.mapper, () -> {});
    imported.mapLinear(BIDIRECTIONAL, NONE, LinearPolicy.IN_PLACE);
    imported.close();
    exported.close();
    exported.close();
    block.close();
    assertThat(rig.memory.pins()).isZero();
  }
}
