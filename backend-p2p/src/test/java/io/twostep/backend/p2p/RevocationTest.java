package io.twostep.backend.p2p;

import static io.twostep.backend.p2p.ReasonAssert.assertReason;
import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.SparseWindow;
import io.twostep.machine.model.FailNth;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Peer memory that is taken back while it is mapped, on every kind of way to it. */
class RevocationTest {
  private static final int PAGE = Rig.PAGE;
  private static final byte[] BYTES = Rig.pattern(64, 1);

  /** Mappings that are made while a revoked one still has its addresses. */
  private static final int LATER = 6;

  private static boolean isDone(CompletableFuture<Void> future) {
    return future.isDone() && !future.isCompletedExceptionally();
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY", "IOMMU_NOT_SNOOPING", "IOMMU_FORCED", "HOST", "HOST_2K", "UNTRUSTED"})
  @Tag("breaks:device-used-unmapped")
  void translatedImportersLoseTheMemoryAtOnce(Kind kind) {
    try (Rig rig = new Rig(kind);
        DmaMapping other = rig.mapper.newMapping()) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      other.map(block.phys(PAGE), PAGE, BIDIRECTIONAL, NONE);
      DmaMapping mapping = rig.mapper.map(rig.behindMemory.phys(), PAGE, BIDIRECTIONAL, NONE);
      DmaTransfer transfer = rig.mapper.newTransfer();
      Entries entries = new Entries();
      transfer.map(TestRanges.of(block.phys(0), PAGE, rig.behindMemory.phys(), PAGE), FROM_DEVICE, NONE, entries);
      long address = mapping.dmaAddress();
      assertThat(rig.device.tryWrite(address, BYTES)).isTrue();
      AtomicInteger told = new AtomicInteger();
      mapping.onRevoke(told::incrementAndGet);
      transfer.onRevoke(told::incrementAndGet);
      other.onRevoke(told::incrementAndGet);

      CompletableFuture<Void> revoked = rig.behindMemory.revoke().toCompletableFuture();
      assertThat(isDone(revoked)).isTrue();
      assertThat(told).hasValue(2);
      assertThat(rig.device.tryWrite(address, Rig.pattern(64, 2))).isFalse();
      assertThat(rig.device.tryWrite(entries.address(0) + PAGE, Rig.pattern(64, 2))).isFalse();
      assertThat(rig.behind.memory(0, 64)).isEqualTo(BYTES);
      assertThat(rig.device.tryWrite(other.dmaAddress(), BYTES)).as("others are unharmed").isTrue();

      assertReason(Reason.REVOKED, () -> mapping.syncForCpu(0, 1));
      assertReason(Reason.REVOKED, () -> transfer.syncForDevice(0, 1));
      assertReason(Reason.REVOKED, () -> rig.mapper.map(rig.behindMemory.phys(), PAGE, BIDIRECTIONAL, NONE));
      assertReason(Reason.REVOKED, () -> rig.behindMemory.allocate(PAGE));
      mapping.unmap();
      transfer.unmap();
      other.unmap();
      mapping.map(block.phys(0), PAGE, BIDIRECTIONAL, NONE).close();
      transfer.close();
      assertThat(rig.machine.stats().staleAnswers()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY", "IOMMU_NOT_SNOOPING", "IOMMU_FORCED", "HOST", "HOST_2K", "UNTRUSTED"})
  @Tag("breaks:device-used-unmapped")
  void nobodyIsGivenTheAddressesOfARevokedRequestBeforeItsDriverLetsGo(Kind kind) {
    try (Rig rig = new Rig(kind);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(LATER * PAGE);
      DmaMapping mapping = rig.mapper.map(rig.behindMemory.phys(), PAGE, BIDIRECTIONAL, NONE);
      Entries entries = new Entries();
      transfer.map(TestRanges.of(rig.behindMemory.phys() + PAGE, PAGE, rig.behindMemory.phys() + 3 * PAGE, PAGE), BIDIRECTIONAL, NONE, entries);
      Set<Long> stale = new TreeSet<>(Set.of(mapping.dmaAddress(), entries.address(0), entries.address(0) + PAGE));
      rig.behindMemory.revoke().toCompletableFuture().join();

      Deque<DmaMapping> later = new ArrayDeque<>();
      for (int i = 0; i < LATER; i++) {
        DmaMapping next = rig.mapper.map(block.phys((long) i * PAGE), PAGE, BIDIRECTIONAL, NONE);
        assertThat(stale).doesNotContain(next.dmaAddress());
        later.push(next);
      }
      stale.forEach(address -> assertThat(rig.device.tryWrite(address, BYTES)).isFalse());
      assertThat(Rig.bytesOf(block, 0, LATER * PAGE)).containsOnly(0);
      later.forEach(DmaMapping::close);
      mapping.close();
      transfer.unmap();
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"DIRECT", "IOMMU", "HOST"})
  void importersByBusAddressLetGoWhenTheirDriversAreTold(Kind kind) {
    try (Rig rig = new Rig(kind);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(PAGE);
      transfer.map(TestRanges.of(block.phys(0), PAGE, rig.nearMemory.phys(), PAGE), FROM_DEVICE, NONE, new Entries());
      AtomicBoolean told = new AtomicBoolean();
      transfer.onRevoke(() -> told.set(true));
      CompletableFuture<Void> revoked = rig.nearMemory.revoke().toCompletableFuture();
      assertThat(told).isTrue();
      assertThat(revoked).isNotDone();
      assertReason(Reason.REVOKED, () -> transfer.syncForCpu(0, 1));
      assertThatThrownBy(rig.nearMemory::close).hasMessageContaining("1 mappings still hold it");
      transfer.unmap();
      assertThat(isDone(revoked)).isTrue();
      assertThat(rig.nearMemory.revoke().toCompletableFuture().isDone()).as("asked again").isTrue();
    }
  }

  @Test
  void bridgePeersThatNothingTranslatesAreHeldUntilLetGo() {
    try (Rig rig = new Rig(Kind.DIRECT);
        DmaMapping mapping = rig.mapper.map(rig.behindMemory.phys(), PAGE, BIDIRECTIONAL, NONE)) {
      CompletableFuture<Void> revoked = rig.behindMemory.revoke().toCompletableFuture();
      assertThat(revoked).isNotDone();
      mapping.unmap();
      assertThat(isDone(revoked)).isTrue();
    }
  }

  @Test
  void aTaskThatUnmapsWhenToldCompletesTheRevocation() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaMapping mapping = rig.mapper.map(rig.nearMemory.phys(), PAGE, BIDIRECTIONAL, NONE)) {
      mapping.onRevoke(mapping::unmap);
      assertThat(isDone(rig.nearMemory.revoke().toCompletableFuture())).isTrue();
    }
  }

  @Test
  void anImporterThatNeverLetsGoHasItsDeviceStoppedAtTheDeadline() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaMapping mapping = rig.mapper.map(rig.nearMemory.phys(), PAGE, BIDIRECTIONAL, NONE)) {
      long address = mapping.dmaAddress();
      CompletableFuture<Void> revoked = rig.nearMemory.revoke(5_000_000).toCompletableFuture();
      assertThat(rig.device.tryWrite(address, BYTES)).as("nothing stands between").isTrue();
      long start = rig.machine.timers().nanoTime();
      rig.pauseUntilDone(revoked);
      assertThat(rig.machine.timers().nanoTime() - start).isGreaterThanOrEqualTo(5_000_000);
      assertThat(isDone(revoked)).isTrue();
      assertThat(rig.device.tryWrite(address, BYTES)).isFalse();
      assertReason(Reason.DETACHED, rig.mapper::newMapping);
      mapping.unmap();
    }
  }

  @Test
  void aWindowIsToldAndCompletesWithItsLastUnit() {
    try (Rig rig = new Rig(Kind.IOMMU);
        SparseWindow window = rig.mapper.newWindow(8 * PAGE, PAGE, BIDIRECTIONAL, NONE);
        InvalidationBatch batch = rig.mapper.newBatch()) {
      AtomicInteger told = new AtomicInteger();
      window.onRevoke(told::incrementAndGet);
      window.link(0, rig.behindMemory.phys(), 2 * PAGE, BIDIRECTIONAL);
      window.link(4 * PAGE, rig.behindMemory.phys() + 4 * PAGE, PAGE, BIDIRECTIONAL);
      CompletableFuture<Void> revoked = rig.behindMemory.revoke().toCompletableFuture();
      assertThat(told).hasValue(1);
      assertReason(Reason.REVOKED, () -> window.link(6 * PAGE, rig.behindMemory.phys(), PAGE, BIDIRECTIONAL));
      window.unlink(0, 2 * PAGE);
      assertThat(revoked).isNotDone();
      window.unlink(4 * PAGE, PAGE, batch);
      assertThat(revoked).as("the device may still reach it").isNotDone();
      batch.complete();
      assertThat(isDone(revoked)).isTrue();
    }
  }

  /** When, in a link of peer memory, that is taken back. */
  enum Moment {
    BEHIND_THE_LAST_RANGE(Kind.IOMMU),
    BEFORE_IT_IS_VISIBLE(Kind.IOMMU),
    AT_THE_FIRST_ADDRESS(Kind.IOMMU),
    AT_THE_FIRST_DIRECT_ADDRESS(Kind.DIRECT);

    private final Kind kind;

    Moment(Kind kind) {
      this.kind = kind;
    }
  }

  @ParameterizedTest
  @EnumSource
  void aLinkThatTheWindowsDriverWasToldTooEarlyForIsRefused(Moment moment) {
    try (Rig rig = new Rig(moment.kind);
        SparseWindow window = rig.mapper.newWindow(8 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      MemoryBlock block = rig.allocate(PAGE);
      AtomicInteger told = new AtomicInteger();
      window.onRevoke(told::incrementAndGet);
      Deque<CompletableFuture<Void>> revoked = new ArrayDeque<>();
      Runnable revoke = () -> revoked.add(rig.behindMemory.revoke().toCompletableFuture());
      PhysRanges all = PhysRanges.of(rig.behindMemory.phys(), 2 * PAGE, block.phys(0), PAGE);
      PhysRanges ranges = moment == Moment.BEHIND_THE_LAST_RANGE ? new OneByOne(revoke, all) : all;
      if (moment == Moment.BEFORE_IT_IS_VISIBLE) {
        rig.counting.publishing = revoke;
      }
      assertReason(
          Reason.REVOKED,
          () ->
              window.link(PAGE, ranges, BIDIRECTIONAL, (address, length, kind) -> {
                if (revoked.isEmpty()) {
                  revoke.run();
                }
                return true;
              }));
      assertThat(told).hasValue(1);
      assertThat(isDone(revoked.getFirst())).as("nothing holds on to it").isTrue();
      for (int unit = 0; unit < 8; unit++) {
        assertThat(window.isLinked(unit * PAGE)).isFalse();
      }
      assertThat(window.link(PAGE, PhysRanges.of(block.phys(0), PAGE), BIDIRECTIONAL, null)).as("other memory").isEqualTo(1);
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "HOST"})
  void aLinkOfOneRangeThatIsTakenBackMeanwhileIsRefused(Kind kind) {
    try (Rig rig = new Rig(kind);
        SparseWindow window = rig.mapper.newWindow(8 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      List<CompletableFuture<Void>> revoked = new ArrayList<>();
      rig.counting.publishing = () -> revoked.add(rig.behindMemory.revoke().toCompletableFuture());
      assertReason(Reason.REVOKED, () -> window.link(0, rig.behindMemory.phys(), 2 * PAGE, BIDIRECTIONAL));
      assertThat(isDone(revoked.getFirst())).as("nothing holds on to it").isTrue();
      assertThat(window.isLinked(0)).isFalse();
    }
  }

  /** Gives one range with each call, and does something when all are given. */
  private record OneByOne(Runnable behindTheLast, PhysRanges all) implements PhysRanges {
    @Override
    public void rewind() {
      all.rewind();
    }

    @Override
    public int fill(long[] phys, long[] length) {
      long[] onePhys = new long[1];
      long[] oneLength = new long[1];
      if (all.fill(onePhys, oneLength) == 0) {
        behindTheLast.run();
        return 0;
      }
      phys[0] = onePhys[0];
      length[0] = oneLength[0];
      return 1;
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void aReservationLosesItsPeersAndRefusesEverythingButTeardown() {
    try (Rig rig = new Rig(Kind.IOMMU);
        IovaReservation reservation = rig.mapper.newReservation();
        InvalidationBatch batch = rig.mapper.newBatch()) {
      MemoryBlock block = rig.allocate(PAGE);
      reservation.tryAlloc(0, 8 * PAGE, BIDIRECTIONAL, NONE);
      reservation.link(0, block.phys(0), PAGE);
      long address = reservation.link(PAGE, rig.behindMemory.phys(), PAGE);
      reservation.link(2 * PAGE, TestRanges.of(rig.behindMemory.phys() + PAGE, PAGE));
      reservation.sync(0, 3 * PAGE);
      assertThat(rig.device.tryWrite(address, BYTES)).isTrue();
      reservation.unlink(2 * PAGE, PAGE, batch);
      assertThat(batch.isEmpty()).as("what may be a peer's is proved gone at once").isTrue();
      assertThat(isDone(rig.behindMemory.revoke().toCompletableFuture())).isTrue();
      assertThat(rig.device.tryWrite(address, BYTES)).isFalse();
      assertReason(Reason.REVOKED, () -> reservation.link(5 * PAGE, block.phys(0), PAGE));
      assertReason(Reason.REVOKED, () -> reservation.link(5 * PAGE, TestRanges.of(block.phys(0), PAGE)));
      assertReason(Reason.REVOKED, () -> reservation.sync(0, PAGE));
      assertReason(Reason.REVOKED, () -> reservation.unlink(0, PAGE));
      reservation.destroy();
      assertThat(reservation.tryAlloc(0, PAGE, BIDIRECTIONAL, NONE)).as("the handle lives on").isTrue();
      reservation.free();
    }
  }

  @Test
  void memoryTakenBackBetweenLookingAndMappingIsRefused() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(PAGE);
      String before = rig.accounts();
      TestRanges ranges = TestRanges.of(block.phys(0), PAGE, rig.behindMemory.phys(), PAGE);
      transfer.plan(ranges);
      ranges.onRewind = () -> rig.behindMemory.revoke();
      assertReason(Reason.REVOKED, () -> transfer.map(ranges, FROM_DEVICE, NONE, new Entries()));
      assertThat(rig.accounts()).isEqualTo(before);
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void memoryTakenBackWhileARequestIsBeingMappedIsGoneWhenMapReturns() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(PAGE);
      List<CompletableFuture<Void>> revoked = new ArrayList<>();
      AtomicInteger told = new AtomicInteger();
      transfer.onRevoke(told::incrementAndGet);
      Entries entries = new Entries();
      transfer.map(
          TestRanges.of(block.phys(0), PAGE, rig.behindMemory.phys(), PAGE),
          FROM_DEVICE,
          NONE,
          (dmaAddress, length, kind) -> {
            revoked.add(rig.behindMemory.revoke().toCompletableFuture());
            assertThat(revoked.getFirst()).isNotDone();
            return entries.accept(dmaAddress, length, kind);
          });
      assertThat(isDone(revoked.getFirst())).isTrue();
      assertThat(told).hasValue(1);
      assertThat(rig.device.tryWrite(entries.address(0), BYTES)).isFalse();
      transfer.unmap();
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "HOST", "DIRECT"})
  @Tag("breaks:device-used-unmapped")
  void aProviderThatIsPulledOutTakesItsMemoryBack(Kind kind) {
    try (Rig rig = new Rig(kind);
        DmaTransfer transfer = rig.mapper.newTransfer();
        DmaTransfer other = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      Entries entries = new Entries();
      transfer.map(TestRanges.of(block.phys(0), PAGE, rig.behindMemory.phys(), PAGE), FROM_DEVICE, NONE, entries);
      Entries others = new Entries();
      other.map(TestRanges.of(block.phys(PAGE), PAGE), FROM_DEVICE, NONE, others);
      rig.machine.unplug(rig.behindMemory.provider().address());
      assertThat(rig.behindMemory.isRevoked()).isTrue();
      assertReason(Reason.REVOKED, () -> transfer.syncForCpu(0, 1));
      assertThat(rig.device.tryWrite(entries.list.getLast().dmaAddress() + entries.list.getLast().length() - 64, BYTES)).isFalse();
      assertThat(rig.device.tryWrite(others.address(0), BYTES)).as("other requests are unharmed").isTrue();
      transfer.unmap();
      other.unmap();
      assertReason(Reason.REVOKED, () -> rig.mapper.map(rig.behindMemory.phys(), PAGE, FROM_DEVICE, NONE));
      assertThat(isDone(rig.behindMemory.revoke().toCompletableFuture())).isTrue();
    }
  }

  @Test
  void whatCannotBeInvalidatedIsQuarantinedAndTheRevocationSaysSo() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      DmaMapping mapping = rig.mapper.map(rig.behindMemory.phys(), PAGE, BIDIRECTIONAL, NONE);
      rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
      CompletableFuture<Void> revoked = rig.behindMemory.revoke(1_000).toCompletableFuture();
      assertThat(rig.mapper.quarantined()).isEqualTo(1);
      assertThat(revoked).isNotDone();
      rig.pauseUntilDone(revoked);
      assertThatThrownBy(revoked::join)
          .isInstanceOf(CompletionException.class)
          .cause()
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED));
      assertThatThrownBy(rig.behindMemory::close).isInstanceOf(IllegalStateException.class);
      assertReason(Reason.QUARANTINED, mapping::close);
      rig.slot.reset();
      assertThat(rig.mapper.releaseQuarantined()).isZero();
    }
  }

  @Test
  void memoryCanBePublishedAgainOnceItIsWithdrawn() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      rig.behindMemory.revoke();
      rig.behindMemory.close();
      try (PeerMemory again = PeerMemory.publish(rig.machine, rig.behindMemory.provider(), ProbeDevice.MEMORY_BAR, PAGE, 2 * PAGE);
          DmaMapping mapping = rig.mapper.map(again.phys(), PAGE, BIDIRECTIONAL, NONE)) {
        assertThat(rig.device.tryWrite(mapping.dmaAddress(), BYTES)).isTrue();
        assertThat(rig.behind.memory(PAGE, 64)).isEqualTo(BYTES);
        mapping.unmap();
      }
    }
  }

  /** One thread maps and unmaps as fast as it can while another takes the memory back: afterwards no device reaches it, nothing is left, and no call saw anything but REVOKED. */
  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY", "HOST", "DIRECT"})
  void revocationUnderLoadLeavesNothingReachable(Kind kind) throws InterruptedException, ExecutionException {
    for (int round = 0; round < 20; round++) {
      try (Rig rig = new Rig(kind, io.twostep.dma.DeviceLimits.UNLIMITED, "iotlb", "normal", "time", "real")) {
        MemoryBlock block = rig.allocate(2 * PAGE);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        CountDownLatch running = new CountDownLatch(2);
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
          long local = block.phys((long) t * PAGE);
          long peer = rig.behindMemory.phys() + (long) t * 8 * PAGE;
          threads.add(
              new Thread(
                  () -> {
                    try (DmaTransfer transfer = rig.mapper.newTransfer()) {
                      TestRanges ranges = TestRanges.of(local, PAGE, peer, PAGE);
                      for (int n = 0; ; n++) {
                        transfer.map(ranges, BIDIRECTIONAL, NONE, new Entries());
                        if (n == 3) {
                          running.countDown();
                        }
                        try {
                          transfer.syncForCpu(0, PAGE);
                        } finally {
                          transfer.unmap();
                        }
                      }
                    } catch (DmaMappingException e) {
                      if (e.reason() != Reason.REVOKED) {
                        failure.set(e);
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
        rig.behindMemory.revoke(Rig.PATIENCE_NANOS).toCompletableFuture().get();
        assertThat(rig.behindMemory.pins()).isZero();
        for (Thread thread : threads) {
          thread.join();
        }
        assertThat(failure.get()).isNull();
      }
    }
  }
}
