package io.twostep.machine.model.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.machine.model.Machines;
import io.twostep.machine.model.ModelMachine;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ModelMemoryTest {
  private static final long SEED = Machines.seed();
  private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

  private final MmioMap mmio = new MmioMap();
  private final ModelMemory memory = memory(64L << 20);

  private ModelMemory memory(long bytes) {
    return new ModelMemory(
        PhysicalLayout.of(bytes), Path.of(System.getProperty("java.io.tmpdir")), new Rng(SEED), mmio, () -> false);
  }

  @AfterEach
  void close() {
    memory.close();
  }

  @Test
  void neverHandsOutPhysicalAddressZeroNorTheHoleBelowFourGibibytes() {
    PhysicalLayout layout = PhysicalLayout.of(6L << 30);
    assertThat(layout.holds(0)).isFalse();
    assertThat(layout.holds(0xbfff_ffffL)).isTrue();
    assertThat(layout.holds(0xc000_0000L)).isFalse();
    assertThat(layout.holds(0xffff_ffffL)).isFalse();
    assertThat(layout.holds(0x1_0000_0000L)).isTrue();
    assertThat(layout.holds(layout.top())).isFalse();
    assertThat(layout.holds(-1L)).isFalse();
    assertThat(layout.frames()).isEqualTo(6L << 18);
    assertThat(PhysicalLayout.of(1L << 30).holds(0x1_0000_0000L)).isFalse();
  }

  @Test
  void anOffsetOutsideABlockIsNamedWithTheBlockAndItsLength() {
    for (MemoryPlacement placement : MemoryPlacement.values()) {
      MemoryBlock block = memory.allocate(5000, placement);
      assertThat(block.phys(4999) & 4095).isEqualTo(903);
      for (long offset : new long[] {5000, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
        assertThatThrownBy(() -> block.phys(offset))
            .isInstanceOf(IndexOutOfBoundsException.class)
            .hasMessage("%s: offset 0x%x lies outside its 0x1388 bytes", block, offset);
      }
      block.close();
    }
  }

  @Test
  void whatTheCpuWritesToFramesNobodyOwnsIsNotSeenByTheirNextOwner() {
    ModelMemory small = memory(1L << 20);
    MemoryBlock fresh = small.allocate(2 * 4096, MemoryPlacement.CONTIGUOUS);
    long phys = fresh.phys(0);
    fresh.close();
    MemorySegment ones = MemorySegment.ofArray(new byte[1 << 20]).fill((byte) 1);
    small.write(small.lowestAddress(), ones, 0, 1 << 20);
    small.segment(phys, 4096).fill((byte) 2);
    MemoryBlock all = small.allocate(1 << 20, MemoryPlacement.CONTIGUOUS);
    assertThat(all.segment().mismatch(MemorySegment.ofArray(new byte[1 << 20]))).isEqualTo(-1);
    small.close();
  }

  @Test
  void blockThatNativeCodeUsesStaysOpenAndGivesItsFramesBackLater() throws Throwable {
    long free = memory.freeFrames();
    MemoryBlock block = memory.allocate(4096, MemoryPlacement.CONTIGUOUS);
    List<Throwable> refused = new ArrayList<>();
    sort(
        block.segment(),
        () -> {
          refused.add(catchThrowable(block::close));
          refused.add(catchThrowable(memory::close));
        });
    assertThat(refused).hasSize(2);
    assertThat(refused.get(0)).isInstanceOf(IllegalStateException.class).hasMessageEndingWith("is in use by a call of native code; close it once that has returned");
    assertThat(refused.get(1)).isInstanceOf(IllegalStateException.class);
    assertThat(block.segment().get(BYTE, 0)).isZero();
    block.close();
    assertThat(memory.freeFrames()).isEqualTo(free);
    assertThatThrownBy(block::segment).hasMessageContaining("is closed");
    memory.close();
  }

  @Test
  void machineWhoseMemoryNativeCodeUsesIsClosedOnceThatHasReturned() throws Throwable {
    ModelMachine machine = Machines.of();
    MemorySegment segment = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS).segment();
    List<Throwable> refused = new ArrayList<>();
    sort(segment, () -> refused.add(catchThrowable(machine::close)));
    assertThat(refused).singleElement().isInstanceOf(IllegalStateException.class);
    assertThat(segment.get(BYTE, 0)).isZero();
    machine.close();
    assertThat(segment.scope().isAlive()).isFalse();
  }

  /** Have the C library sort a segment's first two bytes, and call {@code meanwhile} in the middle of it. */
  @SuppressWarnings("restricted")
  private static void sort(MemorySegment segment, Runnable meanwhile) throws Throwable {
    Linker linker = Linker.nativeLinker();
    MethodHandle qsort =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("qsort"),
            FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
    MethodHandle compare =
        MethodHandles.dropArguments(
            MethodHandles.filterReturnValue(
                MethodHandles.publicLookup().findVirtual(Runnable.class, "run", MethodType.methodType(void.class)).bindTo(meanwhile), MethodHandles.constant(int.class, 0)),
            0,
            MemorySegment.class,
            MemorySegment.class);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment callback =
          linker.upcallStub(compare, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS), arena);
      qsort.invokeExact(segment, 2L, 1L, callback);
    }
  }

  @Test
  void cpuSeesScatteredFramesAsOneSegmentAndPhysicalAddressesFindTheSameBytes() {
    MemoryBlock block = memory.allocate(300 * 4096 + 17, MemoryPlacement.SCATTERED);
    for (long i = 0; i < block.length(); i++) {
      block.segment().set(BYTE, i, (byte) (i * 7 + (i >>> 12)));
    }
    MemorySegment copy = MemorySegment.ofArray(new byte[4096]);
    int adjacent = 0;
    for (long at = 0; at < block.length(); at += 4096) {
      long piece = Math.min(4096, block.length() - at);
      memory.read(block.phys(at), copy, 0, piece);
      assertThat(MemorySegment.mismatch(copy, 0, piece, block.segment(), at, at + piece)).isEqualTo(-1);
      if (at > 0 && block.phys(at) == block.phys(at - 4096) + 4096) {
        adjacent++;
      }
    }
    assertThat(adjacent).as("frames are scattered").isLessThan(10);
    copy.fill((byte) 9);
    memory.write(block.phys(8192 + 5), copy, 3, 100);
    assertThat(block.segment().get(BYTE, 8192 + 104)).isEqualTo((byte) 9);
    assertThat(block.segment().get(BYTE, 8192 + 105)).isNotEqualTo((byte) 9);
  }

  @Test
  void rangesOfABlockCoverItInOrderHoweverSmallTheArrays() {
    for (MemoryPlacement placement : MemoryPlacement.values()) {
      MemoryBlock block = memory.allocate(50 * 4096 + 1, placement);
      PhysRanges ranges = block.ranges();
      for (int round = 0; round < 2; round++) {
        long[] phys = new long[3];
        long[] length = new long[3];
        long at = 0;
        for (int n = ranges.fill(phys, length); n > 0; n = ranges.fill(phys, length)) {
          for (int i = 0; i < n; i++) {
            assertThat(phys[i]).isEqualTo(block.phys(at));
            assertThat(block.phys(at + length[i] - 1)).isEqualTo(phys[i] + length[i] - 1);
            at += length[i];
          }
        }
        assertThat(at).isEqualTo(block.length());
        ranges.rewind();
      }
      block.close();
    }
  }

  @Test
  void contiguousBlocksAreNaturallyAlignedAndFlatForTheCpu() {
    for (int frames : new int[] {1, 2, 3, 5, 8, 100, 1024}) {
      MemoryBlock block = memory.allocate(frames * 4096L, MemoryPlacement.CONTIGUOUS);
      long natural = Long.highestOneBit(frames * 2L - 1) * 4096;
      assertThat(block.phys(0) & (natural - 1)).isZero();
      assertThat(block.phys(block.length() - 1)).isEqualTo(block.phys(0) + block.length() - 1);
      block.segment().set(BYTE, block.length() - 1, (byte) frames);
      assertThat(memory.flatView().get(BYTE, block.phys(block.length() - 1) - memory.layout().base())).isEqualTo((byte) frames);
      assertThat(memory.segment(block.phys(0), block.length()).get(BYTE, block.length() - 1)).isEqualTo((byte) frames);
    }
  }

  @Test
  void findsPhysicalRangesBehindAnySliceOfABlock() {
    Rng rng = new Rng(SEED);
    long[] phys = new long[1];
    long[] length = new long[1];
    for (MemoryPlacement placement : MemoryPlacement.values()) {
      MemoryBlock block = memory.allocate(40 * 4096, placement);
      for (int i = 0; i < 2000; i++) {
        long from = rng.below(40 * 4096);
        long bytes = 1 + rng.below((int) (40 * 4096 - from));
        MemorySegment slice = block.segment().asSlice(from, bytes);
        long at = 0;
        while (memory.ranges(slice, at, phys, length) == 1) {
          assertThat(phys[0]).as("seed %d", SEED).isEqualTo(block.phys(from + at));
          at += length[0];
        }
        assertThat(at).as("seed %d", SEED).isEqualTo(bytes);
      }
    }
  }

  @Test
  void findsNothingBehindForeignOrClosedSegments() {
    long[] one = new long[1];
    assertThat(memory.ranges(MemorySegment.ofArray(new byte[10]), 0, one, one)).isEqualTo(-1);
    try (Arena arena = Arena.ofConfined()) {
      assertThat(memory.ranges(arena.allocate(100), 0, one, one)).isEqualTo(-1);
    }
    MemoryBlock block = memory.allocate(8192, MemoryPlacement.SCATTERED);
    MemorySegment segment = block.segment();
    block.close();
    assertThat(memory.ranges(segment, 0, one, one)).isEqualTo(-1);
    assertThat(memory.ranges(memory.storage().asSlice(0, 4096), 0, one, one)).as("memory nobody owns").isEqualTo(-1);
  }

  @Test
  void segmentsAreDeadOnceTheirBlockIsClosed() {
    MemoryBlock block = memory.allocate(4096, MemoryPlacement.CONTIGUOUS);
    MemorySegment segment = block.segment();
    block.close();
    block.close();
    assertThatThrownBy(() -> segment.get(BYTE, 0)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(block::segment).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
  }

  @Test
  void segmentsOfOpenBlocksDieWithTheMachine() {
    ModelMemory other = memory(1L << 20);
    MemoryBlock seen = other.allocate(4096, MemoryPlacement.CONTIGUOUS);
    MemoryBlock unseen = other.allocate(4096, MemoryPlacement.SCATTERED);
    MemorySegment segment = seen.segment();
    other.close();
    assertThatThrownBy(() -> segment.get(BYTE, 0)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(unseen::segment).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
    seen.close();
    unseen.close();
  }

  @Test
  void closedMemoryHandsOutNothing() {
    ModelMemory other = memory(1L << 20);
    MemoryBlock block = other.allocate(4096, MemoryPlacement.CONTIGUOUS);
    MemorySegment word = MemorySegment.ofArray(new byte[8]);
    other.close();
    List<ThrowingCallable> calls =
        List.of(
            () -> other.allocate(4096, MemoryPlacement.CONTIGUOUS),
            () -> other.segment(block.phys(0), 8),
            () -> other.read(block.phys(0), word, 0, 8),
            () -> other.write(block.phys(0), word, 0, 8),
            block::segment);
    assertThat(calls)
        .allSatisfy(call -> assertThatThrownBy(call).isInstanceOf(IllegalStateException.class).hasMessage("machine model is closed"));
    block.close();
    assertThat(other.framesInUse()).isZero();
  }

  @Test
  void blockThatNobodyHoldsWhenMemoryClosesIsHeldByNobodyLater() {
    ModelMemory other = memory(1L << 20);
    MemoryBlock held = other.allocate(4096, MemoryPlacement.CONTIGUOUS);
    MemoryBlock block = other.allocate(4096, MemoryPlacement.CONTIGUOUS);
    MemoryRegion holding = other.regionOf(held.phys(0), 4096);
    MemoryRegion region = other.regionOf(block.phys(0), 4096);
    assertThat(holding.tryPin()).isTrue();
    other.close();
    assertThat(region.tryPin()).isFalse();
    holding.unpin();
    held.close();
    block.close();
    assertThat(other.framesInUse()).isZero();
  }

  @Test
  void memoryClosedWhileMappedStaysUntilItsLastBlockIsClosed() {
    ModelMemory other = memory(1L << 20);
    MemoryBlock held = other.allocate(4096, MemoryPlacement.CONTIGUOUS);
    MemoryBlock tables = other.allocate(4096, MemoryPlacement.CONTIGUOUS);
    MemorySegment table = other.flatView().asSlice(tables.phys(0) - other.layout().base(), 4096);
    MemoryRegion region = other.regionOf(held.phys(0), 4096);
    assertThat(region.tryPin()).isTrue();
    other.close();
    assertThat(other.blocksMapped()).isEqualTo(1);
    assertThatThrownBy(() -> other.allocate(4096, MemoryPlacement.CONTIGUOUS)).hasMessage("machine model is closed");
    table.set(BYTE, 0, (byte) 0);
    other.write(held.phys(0), MemorySegment.ofArray(new byte[] {7}), 0, 1);
    region.unpin();
    held.close();
    table.set(BYTE, 0, (byte) 0);
    tables.close();
    assertThat(other.blocksMapped()).isZero();
    assertThatThrownBy(() -> table.get(BYTE, 0)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void regionsAreOfOneBlockAndEndWithIt() {
    MemoryBlock first = memory.allocate(4 * 4096, MemoryPlacement.SCATTERED);
    MemoryBlock second = memory.allocate(4 * 4096, MemoryPlacement.CONTIGUOUS);
    MemoryRegion region = memory.regionOf(second.phys(0), 4 * 4096);
    assertThat(region.kind()).isEqualTo(MemoryKind.RAM);
    assertThat(memory.regionOf(second.phys(4096), 4096)).isSameAs(region);
    assertThat(memory.regionOf(second.phys(4096), 4 * 4096).kind()).isEqualTo(MemoryKind.ABSENT);
    assertThat(memory.regionOf(first.phys(0), 4096).kind()).isEqualTo(MemoryKind.RAM);
    assertThat(memory.regionOf(first.phys(100), 4096)).as("scattered frames do not join").isSameAs(MemoryRegion.ABSENT);
    assertThat(memory.regionOf(0, 1)).isSameAs(MemoryRegion.ABSENT);
    assertThat(memory.regionOf(-4096L, 4096)).isSameAs(MemoryRegion.ABSENT);
    assertThat(memory.regionOf(second.phys(0), 0)).isSameAs(MemoryRegion.ABSENT);
    assertThat(memory.regionOf(second.phys(0), -1L)).isSameAs(MemoryRegion.ABSENT);
    second.close();
    assertThat(memory.regionOf(first.phys(0), 1).name()).isNotEqualTo(region.name());
    assertThat(region.tryPin()).isFalse();
  }

  @Test
  void aBlockRefusesToCloseWhileAMappingHoldsItAndStaysUsable() {
    MemoryBlock block = memory.allocate(4096, MemoryPlacement.CONTIGUOUS);
    MemoryRegion region = memory.regionOf(block.phys(0), 4096);
    assertThat(region.tryPin()).isTrue();
    assertThatThrownBy(block::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "block 1 (4096 bytes at 0x%x) is still held 1 time; unmap what maps it, or complete the InvalidationBatch of the unmap",
            block.phys(0));
    block.segment().set(BYTE, 0, (byte) 1);
    region.unpin();
    block.close();
    assertThat(memory.freeFrames()).isEqualTo(memory.layout().frames());
  }

  @Test
  void memoryIsZeroWheneverItIsHandedOut() {
    Rng rng = new Rng(SEED);
    List<MemoryBlock> held = new ArrayList<>();
    for (int i = 0; i < 4000; i++) {
      MemoryPlacement placement = MemoryPlacement.values()[rng.below(3)];
      MemoryBlock block = memory.allocate(1 + rng.below(64 * 4096), placement);
      for (long at = 0; at < block.length(); at++) {
        if (block.segment().get(BYTE, at) != 0) {
          throw new AssertionError("old content at " + at + " of " + block + ", seed " + SEED);
        }
        at += 61;
      }
      block.segment().fill((byte) 0xee);
      held.add(block);
      if (held.size() > 100) {
        held.remove(rng.below(held.size())).close();
      }
    }
    held.forEach(MemoryBlock::close);
    assertThat(memory.freeFrames()).isEqualTo(memory.layout().frames());
    assertThat(memory.framesInUse()).isZero();
  }

  @Test
  void framesOfClosedBlocksAreReusedOnlyAfterEveryFlushRan() throws Exception {
    ModelMemory small = memory(1L << 20);
    int[] flushes = new int[2];
    MemoryBlock block = small.allocate(1L << 20, MemoryPlacement.SCATTERED);
    AutoCloseable first = small.beforeReuse(() -> flushes[0]++);
    AutoCloseable second = small.beforeReuse(() -> flushes[1]++);
    block.close();
    assertThat(small.parkedFrames()).isEqualTo(256);
    assertThat(small.freeFrames()).isZero();
    assertThat(flushes).containsExactly(0, 0);
    small.allocate(4096, MemoryPlacement.CONTIGUOUS).close();
    assertThat(flushes).containsExactly(1, 1);
    first.close();
    second.close();
    first.close();
    small.allocate(1L << 20, MemoryPlacement.SCATTERED).close();
    assertThat(small.freeFrames()).isEqualTo(256);
    assertThat(small.parkedFrames()).isZero();
    small.close();
  }

  @Test
  void whatAnotherThreadsFlushGaveBackIsFoundByWhoWaitedForIt() throws Exception {
    ModelMemory small = memory(1L << 20);
    CountDownLatch flushing = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    small.beforeReuse(
        () -> {
          flushing.countDown();
          awaitLatch(goOn);
        });
    small.allocate(1L << 20, MemoryPlacement.SCATTERED).close();
    List<Future<MemoryBlock>> blocks = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
      AtomicReference<Thread> waiting = new AtomicReference<>();
      blocks.add(threads.submit(() -> small.allocate(4096, MemoryPlacement.SCATTERED)));
      flushing.await();
      blocks.add(
          threads.submit(
              () -> {
                waiting.set(Thread.currentThread());
                return small.allocate(4096, MemoryPlacement.SCATTERED);
              }));
      while (waiting.get() == null || waiting.get().getState() != Thread.State.WAITING) {
        Thread.onSpinWait();
      }
      goOn.countDown();
      for (Future<MemoryBlock> block : blocks) {
        block.get().close();
      }
    }
    small.close();
  }

  private static void awaitLatch(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aFlushMayCloseBlocksItself() {
    ModelMemory small = memory(1L << 20);
    MemoryBlock table = small.allocate(128 * 4096, MemoryPlacement.SCATTERED);
    MemoryBlock data = small.allocate(128 * 4096, MemoryPlacement.SCATTERED);
    small.beforeReuse(table::close);
    data.close();
    MemoryBlock all = small.allocate(1L << 20, MemoryPlacement.SCATTERED);
    assertThat(all.length()).isEqualTo(1L << 20);
    small.close();
  }

  @Test
  void manyParkedFramesAreFlushedWithoutWaitingForAnAllocation() {
    ModelMemory large = memory(256L << 20);
    int[] flushes = new int[1];
    large.beforeReuse(() -> flushes[0]++);
    large.allocate(200L << 20, MemoryPlacement.SCATTERED).close();
    assertThat(flushes[0]).isEqualTo(1);
    assertThat(large.parkedFrames()).isZero();
    large.close();
  }

  @Test
  void framesWaitOnWhereAFlushFails() {
    ModelMemory large = memory(256L << 20);
    boolean[] failing = {true};
    large.beforeReuse(
        () -> {
          if (failing[0]) {
            throw new IllegalStateException("not confirmed");
          }
        });
    MemoryBlock block = large.allocate(200L << 20, MemoryPlacement.SCATTERED);
    block.close();
    long parked = large.parkedFrames();
    assertThat(parked).isEqualTo((200L << 20) / 4096);
    assertThatThrownBy(() -> large.allocate(100L << 20, MemoryPlacement.SCATTERED))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED))
        .hasMessageContaining(parked + " wait for a flush, which failed")
        .hasRootCauseMessage("not confirmed");
    assertThat(large.parkedFrames()).isEqualTo(parked);
    failing[0] = false;
    large.allocate(256L << 20, MemoryPlacement.SCATTERED).close();
    large.close();
  }

  @Test
  void anAllocationThatCannotSucceedEndsAlthoughOthersGoOnReturningFrames() {
    ModelMemory small = memory(1L << 20);
    small.beforeReuse(() -> small.allocate(4096, MemoryPlacement.SCATTERED).close());
    try (MemoryBlock held = small.allocate(4096, MemoryPlacement.SCATTERED)) {
      small.allocate(4096, MemoryPlacement.SCATTERED).close();
      assertThatThrownBy(() -> small.allocate(1L << 20, MemoryPlacement.SCATTERED)).hasMessageContaining("for 1048576 bytes");
      assertThat(held.length()).isEqualTo(4096);
    }
    small.close();
  }

  @Test
  void honoursTheHighestAddress() {
    ModelMemory large = memory(5L << 30);
    for (MemoryPlacement placement : MemoryPlacement.values()) {
      for (int bits = 22; bits <= 33; bits++) {
        MemoryBlock block = large.allocate(16 * 4096, placement, (1L << bits) - 1);
        for (long at = 0; at < block.length(); at += 4096) {
          assertThat(block.phys(at) + 4095).isLessThan(1L << bits);
        }
        block.close();
      }
      assertThat(large.allocate(4096, placement, -1L).phys(0)).isGreaterThanOrEqualTo(1L << 32);
      assertThatThrownBy(() -> large.allocate(4096, placement, 0xf_ffffL)).isInstanceOf(DmaMappingException.class);
    }
    assertThat(large.allocate(4096, MemoryPlacement.CONTIGUOUS, 0x10_0fffL).phys(0)).isEqualTo(0x10_0000L);
    assertThatThrownBy(() -> large.allocate(4096, MemoryPlacement.CONTIGUOUS, 0x10_0ffeL)).isInstanceOf(DmaMappingException.class);
    large.close();
  }

  @Test
  void refusesWhatDoesNotFitNamingWhatIsFree() {
    assertThatThrownBy(() -> memory.allocate((64L << 20) + 1, MemoryPlacement.SCATTERED))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED))
        .hasMessageContaining("16384 of 16384 frames");
    assertThatThrownBy(() -> memory.allocate(0, MemoryPlacement.SCATTERED)).isInstanceOf(IllegalArgumentException.class);
    assertThat(memory.freeFrames()).isEqualTo(memory.layout().frames());
  }

  @Test
  void cpuSegmentOfScatteredRangesIsRefused() {
    MemoryBlock block = memory.allocate(64 * 4096, MemoryPlacement.SCATTERED);
    memory.segment(block.phys(4096), 4096).fill((byte) 3);
    assertThat(block.segment().get(BYTE, 4096)).isEqualTo((byte) 3);
    assertThatThrownBy(() -> memory.segment(block.phys(4096), 8192)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> memory.segment(0, 8)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("not RAM");
  }

  @Test
  void memoryBarsAreFoundByPhysicalAddressAndBySegment() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bar = arena.allocate(8192);
      MemoryRegion region = mmio.add(0x1000_c000_0000L, 8192, "bar", bar);
      mmio.add(0x1000_c000_2000L, 4096, "registers", null);
      long[] phys = new long[1];
      long[] length = new long[1];
      assertThat(memory.regionOf(0x1000_c000_0000L, 8192)).isSameAs(region);
      assertThat(memory.regionOf(0x1000_c000_0000L, 8193)).isSameAs(MemoryRegion.ABSENT);
      assertThat(memory.regionOf(0x1000_c000_2000L, 4).kind()).isEqualTo(MemoryKind.MMIO);
      assertThat(memory.ranges(bar.asSlice(100, 1000), 10, phys, length)).isEqualTo(1);
      assertThat(phys[0]).isEqualTo(0x1000_c000_006eL);
      assertThat(length[0]).isEqualTo(990);
      memory.write(0x1000_c000_0010L, MemorySegment.ofArray(new byte[] {5}), 0, 1);
      assertThat(bar.get(BYTE, 16)).isEqualTo((byte) 5);
      assertThatThrownBy(() -> memory.read(0x1000_c000_2000L, bar, 0, 4)).isInstanceOf(IllegalArgumentException.class);
      mmio.remove(0x1000_c000_0000L);
      assertThat(memory.regionOf(0x1000_c000_0000L, 1)).isSameAs(MemoryRegion.ABSENT);
    }
  }
}
