package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What is refused where units of a window lead to somebody else's buffer, and what the record of them allows. */
class ImportedUnitsTest {
  private static final long PAGE = 4096;

  private final Rig rig = new Rig(Rig.Kind.TRANSLATING);
  private final FakeBlock block = rig.allocate(4 * PAGE, MemoryPlacement.SCATTERED);
  private final FakeBlock mine = rig.allocate(2 * PAGE, MemoryPlacement.SCATTERED);
  private final ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", block.ranges(), TO_DEVICE);
  private final AtomicInteger told = new AtomicInteger();
  private final ImportedBuffer imported = exported.attach(rig.mapper, told::incrementAndGet);
  private final SparseWindow window = rig.mapper.newWindow(8 * PAGE, PAGE, BIDIRECTIONAL, NONE);

  @AfterEach
  void nothingIsLeft() {
    window.close();
    imported.close();
    exported.close();
    assertThat(exported.attachments()).isZero();
    assertThat(rig.accounts()).startsWith("pins 0, granules 0, slots 0, runs 0, live 0, quarantined 0,");
  }

  private static void misuse(String message, Runnable call) {
    assertThatThrownBy(call::run).isInstanceOf(IllegalArgumentException.class).hasMessageContaining(message);
  }

  private static void refused(Reason reason, String message, Runnable call) {
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(reason))
        .hasMessageContaining(message);
  }

  private void link(long offset, long from, long length) {
    assertThat(window.link(offset, imported, from, length, TO_DEVICE, null)).isEqualTo(length / PAGE);
  }

  @Test
  @Tag("breaks:access-widened+empty-range+link-overlaps+misaligned-link+not-window-units+outside-mapping+outside-window")
  @Tag("breaks:unlink-of-hole")
  void wrongUseIsRefusedAndChangesNothing() {
    link(0, 0, PAGE);
    String before = rig.accounts();
    misuse("outside this ImportedBuffer of 0x4000 bytes", () -> link(PAGE, 3 * PAGE, 2 * PAGE));
    misuse("outside this SparseWindow", () -> link(7 * PAGE, 0, 2 * PAGE));
    misuse("units of 0x1000", () -> link(PAGE, 0, PAGE / 2));
    misuse("outside", () -> link(PAGE, 0, 0));
    refused(Reason.MISALIGNED, "nvme0: cannot link 0x800+0x1000 of exported buffer frame into a window: its piece", () -> link(PAGE, PAGE / 2, PAGE));
    misuse("nvme0: BIDIRECTIONAL of 0x0+0x1000 of exported buffer frame, which is exported for TO_DEVICE only; link it so", () -> window.link(PAGE, imported, 0, PAGE, BIDIRECTIONAL, null));
    misuse("nvme0: BIDIRECTIONAL of 0x0+0x1000 of exported buffer frame, which is exported for TO_DEVICE only; protect it so", () -> window.protect(0, PAGE, BIDIRECTIONAL));
    refused(Reason.ALREADY_LINKED, "taken", () -> link(0, PAGE, 2 * PAGE));
    refused(Reason.NOT_LINKED, "0x1000", () -> window.unlink(0, 2 * PAGE));
    assertThat(window.link(2 * PAGE, imported, 0, 2 * PAGE, TO_DEVICE, (dmaAddress, length, kind) -> false)).isEqualTo(-1);
    try (SparseWindow readable = rig.mapper.newWindow(PAGE, PAGE, FROM_DEVICE, NONE)) {
      misuse("wider than the window's", () -> readable.link(0, imported, 0, PAGE, TO_DEVICE, null));
    }
    assertThat(rig.accounts()).isEqualTo(before);
    assertThat(exported.mappings()).isEqualTo(1);
    window.protect(0, PAGE, TO_DEVICE);
  }

  @Test
  @Tag("breaks:used-after-close")
  void onlyAnOpenImportOfTheSameDeviceIsLinked() {
    try (DmaMapper other = rig.stack.attach(rig.machine, rig.machine.addSlot("nvme1", true), DeviceLimits.UNLIMITED);
        ImportedBuffer others = exported.attach(other, () -> {})) {
      misuse("nvme0: link(): this import of exported buffer frame was attached for nvme1", () -> window.link(0, others, 0, PAGE, TO_DEVICE, null));
    }
    link(0, 0, PAGE);
    imported.close();
    assertThatThrownBy(() -> link(PAGE, 0, PAGE)).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
    assertThatThrownBy(exported::close).as("units stay, and hold the buffer").isInstanceOf(IllegalStateException.class);
    assertThat(rig.deviceRead(window.address())).isZero();
    window.unlink(0, PAGE);
  }

  @Test
  void whatWasTakenBackIsRefusedUntilItIsRestored() {
    assertThat(exported.revoke().toCompletableFuture()).isCompleted();
    refused(Reason.REVOKED, "nvme0: link(): exported buffer frame was taken back by its owner", () -> link(0, 0, PAGE));
    exported.restore();
    link(0, 0, PAGE);
  }

  @Test
  void aBufferTakenBackWhileItIsLinkedIsNotLinkedAfterwards() {
    assertThatThrownBy(
            () ->
                window.link(
                    0,
                    imported,
                    0,
                    2 * PAGE,
                    TO_DEVICE,
                    (dmaAddress, length, kind) -> {
                      exported.revoke();
                      return true;
                    }))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.REVOKED));
    assertThat(window.isLinked(0)).isFalse();
    assertThat(exported.mappings()).isZero();
    assertThat(rig.isUnreachable(window.address())).isTrue();
  }

  @Test
  @Tag("breaks:protect-of-hole+unlink-of-hole")
  void unitsTakenBackMayBeUnlinkedOnceOrLinkedAnew() {
    link(0, 0, 4 * PAGE);
    window.link(4 * PAGE, mine.phys(0), PAGE, BIDIRECTIONAL);
    assertThat(exported.revoke().toCompletableFuture()).isCompleted();
    assertThat(told).hasValue(1);
    assertThat(window.isLinked(0)).isFalse();
    refused(Reason.NOT_LINKED, "0x0", () -> window.protect(0, PAGE, TO_DEVICE));
    window.link(PAGE, mine.phys(PAGE), PAGE, BIDIRECTIONAL);
    window.unlink(0, 3 * PAGE);
    assertThat(window.isLinked(PAGE)).as("what was linked anew").isFalse();
    refused(Reason.NOT_LINKED, "0x0", () -> window.unlink(0, PAGE));
    exported.restore();
    link(3 * PAGE, 0, PAGE);
    window.unlink(3 * PAGE, 2 * PAGE);
    refused(Reason.NOT_LINKED, "0x3000", () -> window.unlink(3 * PAGE, PAGE));
  }

  @Test
  void unitsThatWaitInABatchAreStillTheDevices() {
    try (InvalidationBatch batch = rig.mapper.newBatch()) {
      AtomicInteger windowTold = new AtomicInteger();
      window.onRevoke(windowTold::incrementAndGet);
      link(0, 0, 2 * PAGE);
      window.unlink(0, 2 * PAGE, batch);
      CompletableFuture<Void> revoked = exported.revoke().toCompletableFuture();
      assertThat(revoked).isNotDone();
      assertThat(windowTold).as("only the driver can complete its batch").hasValue(1);
      batch.complete();
      assertThat(revoked).isCompleted();
    }
  }
}
