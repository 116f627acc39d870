package io.twostep.backend.p2p;

import static io.twostep.backend.p2p.ReasonAssert.assertReason;
import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.LinearPolicy.IN_PLACE;
import static io.twostep.dma.LinearPolicy.MAY_BOUNCE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.ImportedBuffer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.ForwardingMemory;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.machine.model.FailNth;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A shared buffer that is taken back and moved, and importers that do not listen. */
class ExportRevocationTest {
  private static final int PAGE = Rig.PAGE;
  private static final byte[] BYTES = Rig.pattern(64, 1);

  private static PhysRanges pages(MemoryBlock block) {
    return PhysRanges.of(block.phys(PAGE), PAGE, block.phys(0), PAGE, block.phys(2 * PAGE), 200);
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY", "IOMMU_NOT_SNOOPING", "IOMMU_FORCED", "UNTRUSTED"})
  @Tag("breaks:device-used-unmapped+overlapping-write")
  void aBufferIsTakenBackMovedAndMappedAgain(Kind kind) {
    try (Rig rig = new Rig(kind);
        UntranslatedImporter other = new UntranslatedImporter(rig)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      MemoryBlock elsewhere = rig.allocate(3 * PAGE);
      AtomicInteger told = new AtomicInteger();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", pages(block));
          ImportedBuffer first = exported.attach(rig.mapper, told::incrementAndGet);
          ImportedBuffer second = exported.attach(other.mapper, told::incrementAndGet);
          DmaMapping mine = rig.mapper.map(block.phys(0), PAGE, BIDIRECTIONAL, NONE)) {
        long address = first.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE);
        second.map(BIDIRECTIONAL, NONE, new Entries());
        CompletableFuture<Void> revoked = exported.revoke().toCompletableFuture();
        assertThat(told).hasValue(2);
        assertThat(rig.device.tryWrite(address, BYTES)).as("translated importers lose it at once").isFalse();
        assertThat(rig.device.tryWrite(mine.dmaAddress(), BYTES)).as("who maps the memory otherwise keeps it").isTrue();
        mine.unmap();
        assertThat(revoked).as("the other still holds it").isNotDone();
        assertReason(Reason.REVOKED, () -> first.syncForCpu(0, 1));
        assertReason(Reason.REVOKED, () -> second.syncForCpu(0, 1));
        assertReason(Reason.REVOKED, () -> exported.attach(rig.mapper, () -> {}));
        assertThatThrownBy(exported::restore).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
        second.unmap();
        assertThat(revoked).isCompleted();
        first.unmap();
        assertReason(Reason.REVOKED, () -> first.map(BIDIRECTIONAL, NONE, new Entries()));
        block.close();

        assertThatThrownBy(() -> exported.restore(PhysRanges.of(elsewhere.phys(0), PAGE))).isInstanceOf(IllegalArgumentException.class);
        exported.restore(pages(elsewhere));
        assertThatThrownBy(exported::restore).isInstanceOf(IllegalStateException.class).hasMessageContaining("not taken back");
        long moved = first.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE);
        assertThat(rig.device.tryWrite(moved + PAGE, BYTES)).isTrue();
        first.unmap();
        assertThat(Rig.bytesOf(elsewhere, 0, 64)).isEqualTo(BYTES);
        assertThat(exported.revoke().toCompletableFuture()).isCompleted();
        assertThat(told).as("nobody maps it").hasValue(2);
      }
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped+overlapping-write")
  void aBufferTakenBackInTheMiddleOfARequestIsGoneWhenTheCallReturns() {
    try (Rig rig = new Rig(Kind.IOMMU);
        UntranslatedImporter other = new UntranslatedImporter(rig)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      AtomicInteger told = new AtomicInteger();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", pages(block));
          ImportedBuffer first = exported.attach(rig.mapper, told::incrementAndGet);
          ImportedBuffer second = exported.attach(rig.mapper, told::incrementAndGet);
          ImportedBuffer third = exported.attach(other.mapper, () -> {})) {
        third.onRevoke(third::unmap);
        second.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        third.map(BIDIRECTIONAL, NONE, new Entries());
        List<CompletableFuture<Void>> revoked = new ArrayList<>();
        Entries entries = new Entries();
        first.map(
            BIDIRECTIONAL,
            NONE,
            (dmaAddress, length, kind) -> {
              revoked.add(exported.revoke().toCompletableFuture());
              assertThat(told).as("the others").hasValue(1);
              assertThat(revoked.getFirst()).isNotDone();
              return entries.accept(dmaAddress, length, kind);
            });
        assertThat(revoked.getFirst()).isCompleted();
        assertThat(told).hasValue(2);
        assertThat(rig.device.tryWrite(entries.address(0), BYTES)).isFalse();
        first.unmap();
        second.unmap();
        exported.restore();
        third.map(BIDIRECTIONAL, NONE, new Entries());
      }
    }
  }

  @Test
  @Tag("breaks:overlapping-write")
  void anImporterThatNeverLetsGoHasItsDeviceStoppedAndTheOthersGoOn() {
    try (Rig rig = new Rig(Kind.IOMMU);
        UntranslatedImporter deaf = new UntranslatedImporter(rig)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", pages(block));
          ImportedBuffer good = exported.attach(rig.mapper, () -> {});
          ImportedBuffer bad = exported.attach(deaf.mapper, () -> {})) {
        Entries entries = new Entries();
        bad.map(BIDIRECTIONAL, NONE, entries);
        good.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        CompletableFuture<Void> revoked = exported.revoke(5_000_000).toCompletableFuture();
        good.unmap();
        assertThat(deaf.device.tryWrite(entries.address(0), BYTES)).as("nothing stands between").isTrue();
        long start = rig.machine.timers().nanoTime();
        rig.pauseUntilDone(revoked);
        assertThat(rig.machine.timers().nanoTime() - start).isGreaterThanOrEqualTo(5_000_000);
        assertThat(revoked).isCompleted();
        assertThat(deaf.device.tryWrite(entries.address(0), BYTES)).isFalse();
        assertReason(Reason.DETACHED, deaf.mapper::newMapping);
        assertThatThrownBy(exported::close).isInstanceOf(IllegalStateException.class);
        exported.restore();
        long address = good.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        assertThat(rig.device.tryWrite(address, BYTES)).isTrue();
        bad.unmap();
      }
    }
  }

  @Test
  void whatCannotBeInvalidatedKeepsTheBufferUntilTheDeviceIsReset() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", pages(block))) {
        ImportedBuffer imported = exported.attach(rig.mapper, () -> {});
        imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
        CompletableFuture<Void> revoked = exported.revoke(1_000).toCompletableFuture();
        assertThat(rig.mapper.quarantined()).isEqualTo(1);
        rig.pauseUntilDone(revoked);
        assertThat(revoked).isCompletedExceptionally();
        assertThatThrownBy(exported::restore).isInstanceOf(IllegalStateException.class).hasMessageContaining("reset");
        assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
        assertReason(Reason.QUARANTINED, imported::unmap);
        rig.slot.reset();
        rig.slot.busMaster(true);
        assertThat(rig.mapper.releaseQuarantined()).isZero();
        exported.restore();
        assertThat(rig.device.tryWrite(imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE), BYTES)).isTrue();
        imported.close();
      }
    }
  }

  @Test
  void aProviderThatTakesItsMemoryBackTakesTheBufferWithIt() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      AtomicInteger told = new AtomicInteger();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "bar", PhysRanges.of(rig.nearMemory.phys(), PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, told::incrementAndGet)) {
        imported.map(BIDIRECTIONAL, NONE, new Entries());
        CompletableFuture<Void> revoked = rig.nearMemory.revoke().toCompletableFuture();
        assertThat(exported.isRevoked()).isTrue();
        assertThat(told).as("once, though told of buffer and memory").hasValue(1);
        assertThat(revoked).as("reached by bus address").isNotDone();
        imported.unmap();
        assertThat(revoked).isCompleted();
        assertThat(rig.nearMemory.pins()).isZero();
        assertThat(exported.revoke().toCompletableFuture()).isCompleted();
        assertReason(Reason.REVOKED, exported::restore);
      }
    }
  }

  @Test
  void aProviderIsToldThatQuarantinedImportsStillReachIt() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "bar", PhysRanges.of(rig.behindMemory.phys(), PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
        CompletableFuture<Void> revoked = rig.behindMemory.revoke(1_000).toCompletableFuture();
        rig.pauseUntilDone(revoked);
        assertThat(revoked).isCompletedExceptionally();
        assertReason(Reason.QUARANTINED, imported::unmap);
        rig.slot.reset();
        assertThat(rig.mapper.releaseQuarantined()).isZero();
      }
    }
  }

  @Test
  void aProviderThatIsPulledOutEndsTheBuffer() {
    try (Rig rig = new Rig(Kind.IOMMU);
        ExportedBuffer exported = ExportedBuffer.of(rig.seen, "bar", PhysRanges.of(rig.behindMemory.phys(), PAGE));
        ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
      imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
      rig.machine.unplug(rig.behindMemory.provider().address());
      assertThat(exported.isRevoked()).isTrue();
      assertReason(Reason.REVOKED, () -> imported.syncForCpu(0, 1));
      imported.unmap();
      assertThat(rig.behindMemory.pins()).isZero();
    }
  }

  /** Importers map and unmap as fast as they can while the exporter takes the buffer back and moves it: nobody ever writes where it was. */
  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY"})
  @Tag("may-break:overlapping-write")
  void movingUnderLoadLeavesNoImporterBehind(Kind kind) throws InterruptedException, ExecutionException {
    try (Rig rig = new Rig(kind, DeviceLimits.UNLIMITED, "iotlb", "normal", "time", "real")) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      AtomicReference<Throwable> failure = new AtomicReference<>();
      AtomicInteger stop = new AtomicInteger();
      CountDownLatch running = new CountDownLatch(2);
      List<Thread> threads = new ArrayList<>();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", pages(block))) {
        for (int t = 0; t < 2; t++) {
          threads.add(
              new Thread(
                  () -> {
                    try (ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
                      for (int n = 0; stop.get() == 0; n++) {
                        try {
                          imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
                        } catch (DmaMappingException e) {
                          assertThat(e.reason()).isEqualTo(Reason.REVOKED);
                          continue;
                        } finally {
                          if (n == 3) {
                            running.countDown();
                          }
                        }
                        imported.unmap();
                      }
                    } catch (RuntimeException | AssertionError e) {
                      failure.set(e);
                    } finally {
                      running.countDown();
                    }
                  }));
        }
        threads.forEach(Thread::start);
        running.await();
        for (int round = 0; round < 50; round++) {
          exported.revoke(Rig.PATIENCE_NANOS).toCompletableFuture().get();
          assertThat(exported.mappings()).isZero();
          exported.restore();
        }
        stop.set(1);
        for (Thread thread : threads) {
          thread.join();
        }
        assertThat(failure.get()).isNull();
      }
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void aProviderTakesItsMemoryBackWhileABufferOfItFailsToBeMade() throws InterruptedException {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaMapping mapping = rig.mapper.newMapping()) {
      AtomicReference<Throwable> failure = new AtomicReference<>();
      Thread provider = new Thread(rig.behindMemory::revoke);
      provider.setUncaughtExceptionHandler((thread, e) -> failure.set(e));
      long nowhere = rig.machine.memory().highestAddress() + 1;
      Machine machine =
          withMemory(
              rig.seen,
              phys -> {
                if (phys == nowhere) {
                  mapping.map(rig.behindMemory.phys(), PAGE, BIDIRECTIONAL, NONE);
                  provider.start();
                  while (provider.getState() != Thread.State.BLOCKED && provider.getState() != Thread.State.TERMINATED) {
                    Thread.onSpinWait();
                  }
                }
              });
      PhysRanges ranges = PhysRanges.of(rig.behindMemory.phys() + PAGE, PAGE, nowhere, PAGE);
      assertReason(Reason.NOT_BACKED, () -> ExportedBuffer.of(machine, "half a frame", ranges));
      provider.join();
      assertThat(failure.get()).isNull();
      assertThat(rig.device.tryWrite(mapping.dmaAddress(), BYTES)).as("another importer was told").isFalse();
      assertThat(rig.behindMemory.pins()).isZero();
      mapping.unmap();
    }
  }

  /** Returns a machine that tells {@code asked} of every address that its memory is asked for. */
  private static Machine withMemory(Machine machine, LongConsumer asked) {
    PhysicalMemory memory =
        new ForwardingMemory(machine.memory()) {
          @Override
          public MemoryRegion regionOf(long phys, long length) {
            asked.accept(phys);
            return super.regionOf(phys, length);
          }
        };
    return (Machine)
        Proxy.newProxyInstance(
            Machine.class.getClassLoader(),
            new Class<?>[] {Machine.class},
            (proxy, method, arguments) -> method.getName().equals("memory") ? memory : method.invoke(machine, arguments));
  }
}
