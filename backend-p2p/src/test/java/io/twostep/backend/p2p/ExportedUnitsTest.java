package io.twostep.backend.p2p;

import static io.twostep.backend.p2p.ReasonAssert.assertReason;
import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.ImportedBuffer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.SparseWindow;
import io.twostep.machine.model.FailNth;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Pieces of exported buffers at units of a sparse window, and what is left of them when their owner takes the buffer back. */
class ExportedUnitsTest {
  private static final int PAGE = Rig.PAGE;
  private static final byte[] BYTES = Rig.pattern(64, 1);

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY", "HOST", "HOST_2K"})
  @Tag("breaks:device-used-unlinked")
  void unitsOfABufferAreGoneAtOnceAndTheWindowGoesOn(Kind kind) {
    try (Rig rig = new Rig(kind);
        SparseWindow window = rig.mapper.newWindow(16 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      MemoryBlock elsewhere = rig.allocate(4 * PAGE);
      MemoryBlock mine = rig.allocate(2 * PAGE);
      AtomicInteger told = new AtomicInteger();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", block.ranges());
          ImportedBuffer imported = exported.attach(rig.mapper, told::incrementAndGet)) {
        window.link(0, mine.phys(0), PAGE, BIDIRECTIONAL);
        assertThat(window.link(PAGE, imported, PAGE, 3 * PAGE, BIDIRECTIONAL, null)).isEqualTo(3);
        window.link(8 * PAGE, imported, 0, PAGE, BIDIRECTIONAL, null);
        assertThat(exported.mappings()).isEqualTo(4);
        assertThat(rig.device.tryWrite(window.address() + 2 * PAGE, BYTES)).isTrue();
        assertThat(Rig.bytesOf(block, 2 * PAGE, 64)).isEqualTo(BYTES);
        window.unlink(3 * PAGE, PAGE);

        CompletableFuture<Void> revoked = exported.revoke().toCompletableFuture();
        assertThat(revoked).isCompleted();
        assertThat(told).hasValue(1);
        for (int unit : new int[] {1, 2, 3, 8}) {
          assertThat(window.isLinked((long) unit * PAGE)).isFalse();
          assertThat(rig.device.tryWrite(window.address() + (long) unit * PAGE, BYTES)).as("unit %s", unit).isFalse();
        }
        assertThat(rig.device.tryWrite(window.address(), BYTES)).as("other memory of the window").isTrue();
        block.close();

        window.link(PAGE, mine.phys(PAGE), PAGE, BIDIRECTIONAL);
        assertThat(rig.device.tryWrite(window.address() + PAGE, BYTES)).isTrue();
        assertThat(Rig.bytesOf(mine, PAGE, 64)).isEqualTo(BYTES);
        exported.restore(elsewhere.ranges());
        window.link(8 * PAGE, imported, PAGE, PAGE, BIDIRECTIONAL, null);
        assertThat(rig.device.tryWrite(window.address() + 8 * PAGE, BYTES)).isTrue();
        assertThat(Rig.bytesOf(elsewhere, PAGE, 64)).isEqualTo(BYTES);
        window.unlink(8 * PAGE, PAGE);
        assertThat(exported.mappings()).isZero();
      }
    }
  }

  @Test
  void withoutTranslationTheDriverUnlinksOrItsDeviceIsStopped() {
    try (Rig rig = new Rig(Kind.DIRECT)) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      Entries entries = new Entries();
      AtomicBoolean listening = new AtomicBoolean(true);
      try (SparseWindow window = rig.mapper.newWindow(8 * PAGE, PAGE, BIDIRECTIONAL, NONE);
          ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", block.ranges());
          ImportedBuffer imported =
              exported.attach(
                  rig.mapper,
                  () -> {
                    if (listening.get()) {
                      window.unlink(2 * PAGE, 4 * PAGE);
                    }
                  })) {
        assertThat(window.link(2 * PAGE, imported, 0, 4 * PAGE, BIDIRECTIONAL, entries)).isEqualTo(4);
        assertThat(rig.device.tryWrite(entries.address(3), BYTES)).isTrue();
        assertThat(Rig.bytesOf(block, 3 * PAGE, 64)).isEqualTo(BYTES);
        assertThat(exported.revoke().toCompletableFuture()).isCompleted();
        assertThat(window.isLinked(2 * PAGE)).isFalse();

        listening.set(false);
        exported.restore();
        window.link(2 * PAGE, imported, 0, 4 * PAGE, BIDIRECTIONAL, null);
        CompletableFuture<Void> revoked = exported.revoke(1_000).toCompletableFuture();
        assertThat(rig.device.tryWrite(entries.address(3), BYTES)).as("nothing stands between").isTrue();
        assertThat(revoked).isNotDone();
        rig.pauseUntilDone(revoked);
        assertThat(revoked).isCompleted();
        assertThat(rig.device.tryWrite(entries.address(3), BYTES)).as("its device is stopped").isFalse();
        assertReason(Reason.DETACHED, () -> window.link(0, imported, 0, PAGE, BIDIRECTIONAL, null));
        window.unlink(2 * PAGE, 4 * PAGE);
      }
    }
  }

  @Test
  void unitsThatCannotBeProvedGoneKeepTheBufferUntilTheDeviceIsReset() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", block.ranges());
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {});
          SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
        window.link(0, imported, 0, 2 * PAGE, BIDIRECTIONAL, null);
        rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
        CompletableFuture<Void> revoked = exported.revoke(1_000).toCompletableFuture();
        assertThat(rig.mapper.quarantined()).isEqualTo(1);
        rig.pauseUntilDone(revoked);
        assertThat(revoked).isCompletedExceptionally();
        assertThatThrownBy(exported::restore).isInstanceOf(IllegalStateException.class).hasMessageContaining("reset");
        assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
        rig.slot.reset();
        rig.slot.busMaster(true);
        assertThat(rig.mapper.releaseQuarantined()).isZero();
        exported.restore();
        window.link(0, imported, 0, 2 * PAGE, BIDIRECTIONAL, null);
        assertThat(rig.device.tryWrite(window.address() + PAGE, BYTES)).isTrue();
      }
    }
  }

  @Test
  @Tag("breaks:bus-address-linked+device-used-unlinked")
  void aProviderThatTakesItsMemoryBackTakesTheUnitsWithIt() {
    try (Rig rig = new Rig(Kind.IOMMU);
        SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      AtomicInteger told = new AtomicInteger();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "bar", PhysRanges.of(rig.behindMemory.phys(), 2 * PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, told::incrementAndGet);
          ExportedBuffer near = ExportedBuffer.of(rig.seen, "near", PhysRanges.of(rig.nearMemory.phys(), PAGE));
          ImportedBuffer byBus = near.attach(rig.mapper, () -> {})) {
        assertReason(Reason.BUS_ADDRESS, () -> window.link(0, byBus, 0, PAGE, BIDIRECTIONAL, null));
        window.link(0, imported, 0, 2 * PAGE, BIDIRECTIONAL, null);
        assertThat(rig.device.tryWrite(window.address() + PAGE, BYTES)).isTrue();
        assertThat(rig.behind.memory(PAGE, 64)).isEqualTo(BYTES);
        assertThat(rig.behindMemory.revoke().toCompletableFuture()).isCompleted();
        assertThat(told).hasValue(1);
        assertThat(rig.device.tryWrite(window.address() + PAGE, BYTES)).isFalse();
        assertThat(rig.behindMemory.pins()).isZero();
      }
    }
  }

  /** Two threads link and unlink units of one buffer, side by side in one window, while its owner moves it: nobody ever writes where it was. */
  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY"})
  void movingUnderLoadLeavesNoUnitBehind(Kind kind) throws InterruptedException, ExecutionException {
    try (Rig rig = new Rig(kind, DeviceLimits.UNLIMITED, "iotlb", "normal", "time", "real")) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      AtomicReference<Throwable> failure = new AtomicReference<>();
      AtomicBoolean stop = new AtomicBoolean();
      CountDownLatch running = new CountDownLatch(2);
      List<Thread> threads = new ArrayList<>();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", block.ranges());
          SparseWindow window = rig.mapper.newWindow(8 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
        for (long t = 0; t < 2; t++) {
          long at = t * 4 * PAGE;
          threads.add(new Thread(() -> linkAndUnlink(rig, exported, window, at, stop, running, failure)));
        }
        threads.forEach(Thread::start);
        running.await();
        for (int round = 0; round < 50; round++) {
          exported.revoke(Rig.PATIENCE_NANOS).toCompletableFuture().get();
          assertThat(exported.mappings()).isZero();
          exported.restore();
        }
        stop.set(true);
        for (Thread thread : threads) {
          thread.join();
        }
        assertThat(failure.get()).isNull();
      }
    }
  }

  private static void linkAndUnlink(
      Rig rig, ExportedBuffer exported, SparseWindow window, long at, AtomicBoolean stop, CountDownLatch running, AtomicReference<Throwable> failure) {
    try {
      for (int n = 0; !stop.get(); n++) {
        try (ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
          window.link(at, imported, PAGE, 3 * PAGE, BIDIRECTIONAL, null);
          window.unlink(at, 3 * PAGE);
        } catch (DmaMappingException e) {
          assertThat(e.reason()).isEqualTo(Reason.REVOKED);
        }
        if (n == 3) {
          running.countDown();
        }
      }
    } catch (RuntimeException | AssertionError e) {
      failure.set(e);
    } finally {
      running.countDown();
    }
  }
}
