package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Retirement;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.ProbeDevice;
import java.lang.foreign.Arena;
import java.util.Map;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Windows: overlaps, holes, forgotten syncs; and what is never given back. */
class TwoStepCrimesTest {
  private static final long PAGE = Rig.PAGE;

  private final Rig rig = Rig.translated();
  private final MemoryBlock block = rig.allocate(16 * PAGE);
  private final long phys = block.phys(0);

  @AfterEach
  void close() {
    rig.close();
  }

  @Test
  void linkOverAnEarlierLinkShowsIt() {
    IovaReservation window = window(4 * PAGE);
    window.link(PAGE, phys, 2 * PAGE);
    assertThatThrownBy(() -> window.link(2 * PAGE, phys + 4 * PAGE, PAGE)).isInstanceOf(DmaMappingException.class);
    Report report = rig.only(Rule.LINK_OVERLAPS, true);
    assertThat(report.first()).isEqualTo(window.address() + 2 * PAGE);
    assertThat(report.text(8)).contains("earlier: linked");
  }

  @Test
  void linkOfASourceOverAnEarlierLinkShowsIt() {
    IovaReservation window = window(16 * PAGE);
    window.link(PAGE, phys, PAGE);
    assertThatThrownBy(() -> window.link(0, block.ranges())).isInstanceOf(DmaMappingException.class);
    rig.only(Rule.LINK_OVERLAPS, true);
  }

  @Test
  void unlinkOfAHoleShowsTheEarlierUnlink() {
    IovaReservation window = window(4 * PAGE);
    window.link(0, phys, 4 * PAGE);
    window.unlink(PAGE, PAGE);
    assertThatThrownBy(() -> window.unlink(0, 4 * PAGE)).isInstanceOf(DmaMappingException.class);
    assertThat(rig.only(Rule.UNLINK_OF_HOLE, true).text(8)).contains("earlier: unlinked");
  }

  @Test
  void syncOfAPartWithoutLinksShowsTheWindow() {
    IovaReservation window = window(4 * PAGE);
    window.link(0, phys, PAGE);
    window.sync(2 * PAGE, PAGE);
    rig.only(Rule.PUBLISH_OF_HOLE, true);
  }

  @Test
  void ownershipOfUnlinkedBytesCannotMove() {
    IovaReservation window = window(4 * PAGE);
    window.link(0, phys, PAGE);
    window.sync(0, PAGE);
    window.syncForCpu(0, 2 * PAGE);
    rig.only(Rule.SYNC_OF_HOLE, true);
  }

  @Test
  void ownershipOfUnsyncedLinksCannotMove() {
    IovaReservation window = window(4 * PAGE);
    window.link(0, phys, PAGE);
    window.syncForDevice(0, PAGE);
    assertThat(rig.only(Rule.SYNC_BEFORE_PUBLISH, true).text(8)).contains("earlier: linked");
  }

  @Test
  void aSourceThatChangesIsNamed() {
    MemoryBlock large = rig.allocate(1200 * PAGE);
    PhysRanges shifty = new ShiftingPages(large.phys(0), 600);
    assertThatThrownBy(() -> rig.mapper.newTransfer().map(shifty, TO_DEVICE, NONE, (address, length, kind) -> true))
        .isInstanceOf(IllegalArgumentException.class);
    rig.one(Rule.SOURCE_CHANGED, true);
  }

  @Test
  void aSecondThreadOnAHandleIsNamed() {
    DmaTransfer transfer = rig.mapper.newTransfer();
    transfer.map(block.ranges(), TO_DEVICE, NONE, (address, length, kind) -> true);
    transfer.unmap();
    transfer.map(
        block.ranges(),
        TO_DEVICE,
        NONE,
        (address, length, kind) -> {
          assertThatThrownBy(() -> CompletableFuture.runAsync(transfer::unmap, Thread.ofPlatform()::start).join()).hasCauseInstanceOf(IllegalStateException.class);
          return true;
        });
    transfer.unmap();
    rig.only(Rule.USED_BY_TWO_THREADS, true);
  }

  @Test
  void mappingsLeftBehindByTheirMapperShowWhereTheyWereMade() {
    Rig.ignore(rig.mapper.map(phys, PAGE, TO_DEVICE, NONE));
    rig.mapper.close();
    assertThat(rig.only(Rule.LEAKED_MAPPING, true).text(8)).contains("mappingsLeftBehindByTheirMapperShowWhereTheyWereMade");
  }

  @Test
  void windowsLeftBehindByTheirMapperShowWhereTheyWereMade() {
    window(PAGE);
    rig.mapper.close();
    rig.only(Rule.LEAKED_WINDOW, true);
  }

  @Test
  void coherentMemoryLeftBehindShowsWhereItWasAllocated() {
    Rig.ignore(rig.mapper.allocateCoherent(PAGE));
    rig.mapper.close();
    rig.only(Rule.LEAKED_COHERENT, true);
  }

  @Test
  void leaksAreReportedOnce() {
    Rig.ignore(rig.mapper.map(phys, PAGE, TO_DEVICE, NONE));
    rig.mapper.close();
    rig.checker.close();
    rig.only(Rule.LEAKED_MAPPING, true);
  }

  @Test
  void aBatchThatNobodyCompletesShowsTheTeardown() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    InvalidationBatch batch = rig.mapper.newBatch();
    mapping.unmap(batch);
    rig.checker.close();
    assertThat(rig.only(Rule.BATCH_NEVER_COMPLETED, true).text(8)).contains("earlier: unmapped");
    batch.complete();
  }

  @Test
  void aBatchWhoseInvalidationCannotBeProvedIsNotTheCallersFault() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
    assertThatThrownBy(mapping::unmap).isInstanceOf(DmaMappingException.class);
    assertThat(rig.mapper.quarantined()).isEqualTo(1);
    rig.checker.close();
    assertThat(rig.reports()).isEmpty();
    assertThat(rig.mapper.releaseQuarantined()).isZero();
  }

  @Test
  void aBatchThatIsCompletedLeavesNothing() {
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    IovaReservation window = window(2 * PAGE);
    window.link(0, phys + PAGE, PAGE);
    InvalidationBatch batch = rig.mapper.newBatch();
    mapping.unmap(batch);
    window.unlink(0, PAGE, batch);
    window.destroy(batch);
    batch.complete();
    rig.mapper.close();
    rig.checker.close();
    assertThat(rig.reports()).isEmpty();
    assertThat(rig.checker.statistics().live()).isZero();
    assertThat(rig.checker.statistics().entries()).isZero();
  }

  @Test
  void memoryMappedTwiceForWritingShowsTheFirstMapping() {
    DmaMapping first = rig.mapper.map(phys, 2 * PAGE, FROM_DEVICE, NONE);
    DmaMapping second = rig.mapper.map(phys + PAGE, PAGE, TO_DEVICE, NONE);
    Report report = rig.only(Rule.OVERLAPPING_WRITE, true);
    assertThat(report.detail()).contains(Long.toHexString(first.dmaAddress()));
    second.close();
    first.close();
  }

  @Test
  void memoryMappedManyTimesIsSuspicious() {
    for (int i = 0; i <= Handovers.MOST_OVERLAPS; i++) {
      Rig.ignore(rig.mapper.map(phys, PAGE, TO_DEVICE, NONE));
    }
    rig.only(Rule.TOO_MANY_OVERLAPS, true);
  }

  @Test
  void memoryMappedInPiecesAndAsAWholeIsNotSuspicious() {
    for (int i = 0; i < 2 * Handovers.MOST_OVERLAPS; i++) {
      Rig.ignore(rig.mapper.map(phys + 64L * i, 64, TO_DEVICE, NONE));
    }
    Rig.ignore(rig.mapper.map(phys, PAGE, TO_DEVICE, NONE));
    assertThat(rig.reports()).isEmpty();
  }

  @Test
  void ownershipOfThePartOfALinkThatWasNotSyncedCannotMove() {
    IovaReservation window = window(4 * PAGE);
    window.link(0, phys, 4 * PAGE);
    window.sync(PAGE, 2 * PAGE);
    window.syncForCpu(PAGE, 2 * PAGE);
    assertThat(rig.reports()).isEmpty();
    window.syncForDevice(2 * PAGE, 2 * PAGE);
    Report report = rig.only(Rule.SYNC_BEFORE_PUBLISH, true);
    assertThat(report.first()).isEqualTo(window.address() + 3 * PAGE);
    assertThat(report.length()).isEqualTo(PAGE);
  }

  /** Disjoint units of a window are linked and unlinked without a lock, also those that one call linked together. */
  @Test
  void unitsOfOneLinkMayBeTakenOutByTwoThreadsAtOnce() {
    CyclicBarrier bothInUnlink = new CyclicBarrier(2);
    try (Rig meeting = Rig.translated(new MeetingLayer(bothInUnlink))) {
      MemoryBlock memory = meeting.allocate(2 * PAGE);
      SparseWindow window = meeting.mapper.newWindow(2 * PAGE, PAGE, FROM_DEVICE, NONE);
      window.link(0, memory.phys(0), 2 * PAGE, FROM_DEVICE);
      CompletableFuture<Void> other = CompletableFuture.runAsync(() -> window.unlink(PAGE, PAGE));
      window.unlink(0, PAGE);
      other.join();
      window.link(0, memory.phys(0), 2 * PAGE, FROM_DEVICE);
      window.close();
      assertThat(meeting.reports()).isEmpty();
      assertThat(meeting.checker.statistics().entries()).isZero();
    }
  }

  /** Lets no unlink through before two threads are in one. */
  private record MeetingLayer(CyclicBarrier both) implements LayerBackend {
    @Override
    public String name() {
      return "meeting";
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return new ForwardingOps(next) {
        @Override
        public void unlink(MappingState state, long offset, long length, Retirement batch) {
          try {
            both.await();
          } catch (InterruptedException | BrokenBarrierException e) {
            throw new IllegalStateException(e);
          }
          super.unlink(state, offset, length, batch);
        }
      };
    }

    @Override
    public void close() {}
  }

  @Test
  void freedMemoryOfAForeignSegmentIsNoticedAtUnmap() {
    try (Rig staged = Rig.translated(new SwiotlbBackend(SwiotlbConfig.defaults()))) {
      Arena arena = Arena.ofShared();
      DmaMapping mapping = staged.mapper.map(arena.allocate(PAGE), TO_DEVICE, NONE);
      arena.close();
      mapping.close();
      staged.only(Rule.MEMORY_GONE, true);
    }
  }

  @Test
  void manyMappingsAreSuspicious() {
    DebugConfig few = DebugConfig.of(Settings.of(new DebugBackendPlugin(), Map.of("max-live", "3", "on-error", "count")));
    try (Rig small = new Rig(true, few, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED)) {
      MemoryBlock memory = small.allocate(8 * PAGE);
      for (int i = 0; i < 5; i++) {
        Rig.ignore(small.mapper.map(memory.phys(i * PAGE), PAGE, TO_DEVICE, NONE));
      }
      small.only(Rule.TOO_MANY_MAPPINGS, true);
    }
  }

  @Test
  void mappingsOfOneDeviceAreNotCountedForAnother() {
    DebugConfig few = DebugConfig.of(Settings.of(new DebugBackendPlugin(), Map.of("max-live", "3", "on-error", "count")));
    ProbeDevice other = new ProbeDevice();
    try (Rig small = new Rig(true, few, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED);
        DmaMapper second = small.stack.attach(small.machine, small.plug("0000:02:00.0", other), DeviceLimits.UNLIMITED)) {
      MemoryBlock memory = small.allocate(8 * PAGE);
      for (int i = 0; i < 3; i++) {
        Rig.ignore(small.mapper.map(memory.phys(i * PAGE), PAGE, TO_DEVICE, NONE));
        second.map(memory.phys(i * PAGE), PAGE, TO_DEVICE, NONE).close();
        Rig.ignore(second.map(memory.phys(i * PAGE), PAGE, TO_DEVICE, NONE));
      }
      assertThat(small.reports()).isEmpty();
    }
  }

  private IovaReservation window(long length) {
    IovaReservation window = rig.mapper.newReservation();
    assertThat(window.tryAlloc(phys, length, TO_DEVICE, NONE)).isTrue();
    return window;
  }
}
