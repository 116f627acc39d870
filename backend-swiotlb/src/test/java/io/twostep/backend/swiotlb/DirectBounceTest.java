package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.Allocation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class DirectBounceTest {
  private static final SlotOptions PLAIN = SlotOptions.DEFAULT.withTranslation(Translation.NONE);
  private static final int NONE = DmaAttributes.NONE;

  private static Rig rig(DeviceLimits limits, SwiotlbConfig config, String... settings) {
    return new Rig(new DirectBackend(), PLAIN, limits, config, settings);
  }

  private static Rig forced() {
    return rig(DeviceLimits.UNLIMITED, Rig.CONFIG.withForce(true));
  }

  @Test
  void memoryBeyondTheMaskIsBouncedBelowIt() {
    try (Rig rig = rig(DeviceLimits.ofBits(24), Rig.CONFIG)) {
      MemoryBlock low = rig.machine.memory().allocate(12 << 20, MemoryPlacement.CONTIGUOUS);
      MemoryBlock high = rig.allocate(64 << 10, MemoryPlacement.CONTIGUOUS);
      assertThat(high.phys(0)).isGreaterThan(0xff_ffffL);
      low.close();
      try (DmaMapping mapping = rig.mapper.map(high.phys(100), 5000, DmaDirection.BIDIRECTIONAL, NONE)) {
        assertThat(mapping.dmaAddress() + 4999).isLessThanOrEqualTo(0xff_ffffL);
        assertThat(rig.device.tryRead(mapping.dmaAddress(), 5000)).isEqualTo(Rig.bytes(high.segment(), 100, 5000));
        rig.device.tryWrite(mapping.dmaAddress() + 7, Rig.patterned(3000, 9));
        mapping.unmap();
      }
      byte[] expected = Rig.patterned(64 << 10, 1);
      System.arraycopy(Rig.patterned(3000, 9), 0, expected, 107, 3000);
      assertThat(Rig.bytes(high.segment(), 0, 64 << 10)).isEqualTo(expected);
      assertThat(rig.layer.statistics().bytesIn()).isEqualTo(5000);
      assertThat(rig.layer.statistics().bytesOut()).isEqualTo(5000);
    }
  }

  @Test
  void memoryWithinReachStaysInPlaceAndCostsNoSlots() {
    try (Rig rig = rig(DeviceLimits.ofBits(27), Rig.CONFIG)) {
      MemoryBlock block = rig.allocate(4096, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping mapping = rig.mapper.map(block.phys(0), 4096, DmaDirection.TO_DEVICE, NONE)) {
        assertThat(mapping.dmaAddress()).isEqualTo(block.phys(0));
        assertThat(mapping.needsSync()).isFalse();
        assertThat(mapping.needsUnmap()).isFalse();
        assertThat(rig.slotsUsed()).isZero();
      }
    }
  }

  @Test
  void aRangeAcrossTwoOffsetWindowsIsBouncedIntoOne() {
    String windows = "0x100000:0x80000000:0x2000000,0x2100000:0x40000000:0x20000000";
    try (Rig rig = rig(DeviceLimits.UNLIMITED, Rig.CONFIG, "inbound", windows)) {
      List<MemoryBlock> blocks = new ArrayList<>();
      MemoryBlock across = null;
      while (across == null) {
        MemoryBlock block = rig.machine.memory().allocate(8 << 20, MemoryPlacement.CONTIGUOUS);
        blocks.add(block);
        across = block.phys(0) < 0x2100000L && block.phys(0) + (8 << 20) > 0x2100000L ? block : null;
      }
      long edge = 0x2100000L - across.phys(0);
      Rig.fill(across.segment(), 4);
      try (DmaMapping mapping = rig.mapper.map(across.phys(edge - 900), 2000, DmaDirection.TO_DEVICE, NONE)) {
        assertThat(rig.slotsUsed()).isPositive();
        assertThat(rig.device.tryRead(mapping.dmaAddress(), 2000)).isEqualTo(Rig.bytes(across.segment(), edge - 900, 2000));
      }
      try (DmaMapping mapping = rig.mapper.map(across.phys(edge), 2000, DmaDirection.TO_DEVICE, NONE)) {
        assertThat(mapping.dmaAddress()).isEqualTo(0x4000_0000L);
      }
      blocks.forEach(MemoryBlock::close);
    }
  }

  @Test
  void slotsAreFoundInAWindowThatBeginsAboveFreeMemory() {
    try (Rig rig = rig(DeviceLimits.UNLIMITED, Rig.CONFIG, "inbound", "0x4000000:0x80000000:0x2000000")) {
      MemoryBlock block = rig.allocate(4096, MemoryPlacement.CONTIGUOUS);
      assertThat(block.phys(0)).isLessThan(0x400_0000L);
      try (DmaMapping mapping = rig.mapper.map(block.phys(0), 2000, DmaDirection.TO_DEVICE, NONE)) {
        assertThat(mapping.dmaAddress()).isBetween(0x8000_0000L, 0x81ff_ffffL);
        assertThat(rig.device.tryRead(mapping.dmaAddress(), 2000)).isEqualTo(Rig.bytes(block.segment(), 0, 2000));
      }
    }
  }

  @Test
  void aDeviceThatWritesHalfKeepsTheRestInEveryDirectionItWrites() {
    try (Rig rig = forced()) {
      MemoryBlock block = rig.allocate(8192, MemoryPlacement.CONTIGUOUS);
      byte[] expected = Rig.patterned(8192, 1);
      for (DmaDirection direction : new DmaDirection[] {DmaDirection.FROM_DEVICE, DmaDirection.BIDIRECTIONAL}) {
        try (DmaMapping mapping = rig.mapper.map(block.phys(10), 4000, direction, NONE)) {
          byte[] written = Rig.patterned(2000, direction.ordinal() + 5);
          rig.device.tryWrite(mapping.dmaAddress() + 1000, written);
          mapping.unmap();
          System.arraycopy(written, 0, expected, 1010, 2000);
          assertThat(Rig.bytes(block.segment(), 0, 8192)).isEqualTo(expected);
        }
      }
    }
  }

  @Test
  void whatADeviceWroteThatMayOnlyReadIsNotCopiedOut() {
    try (Rig rig = forced()) {
      MemoryBlock block = rig.allocate(4096, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping mapping = rig.mapper.map(block.phys(0), 4096, DmaDirection.TO_DEVICE, NONE)) {
        rig.device.tryWrite(mapping.dmaAddress(), new byte[4096]);
        mapping.syncForCpu(0, 4096);
      }
      assertThat(Rig.bytes(block.segment(), 0, 4096)).isEqualTo(Rig.patterned(4096, 1));
      assertThat(rig.layer.statistics().bytesOut()).isZero();
    }
  }

  @Test
  @Tag("breaks:bounce-without-sync")
  void partialSyncMovesExactlyTheBytesAskedForAtEveryOffsetAndLength() {
    int whole = 3 * 2048;
    try (Rig rig = rig(DeviceLimits.UNLIMITED.withMinAlignMask(4095), Rig.CONFIG.withForce(true))) {
      MemoryBlock block = rig.allocate(3 * 4096, MemoryPlacement.CONTIGUOUS);
      long first = 0x678;
      byte[] ours = Rig.patterned(whole, 3);
      byte[] theirs = Rig.patterned(whole, 77);
      MemorySegment memory = block.segment().asSlice(first, whole);
      try (DmaMapping mapping = rig.mapper.map(block.phys(first), whole, DmaDirection.BIDIRECTIONAL, NONE)) {
        assertThat(mapping.dmaAddress() & 4095).isEqualTo(first);
        // Every offset with lengths that end at, before and behind every slot's edge, and every short length.
        for (int offset = 0; offset < whole; offset += offset % 2048 < 4 || offset % 2048 > 2040 ? 1 : 61) {
          for (int length = 1; length <= whole - offset; length += length % 2048 < 4 || length % 2048 > 2040 ? 1 : 127) {
            requirePart(rig, mapping, memory, ours, theirs, offset, length);
          }
        }
        memory.copyFrom(MemorySegment.ofArray(ours));
        mapping.syncForDevice(0, whole);
      }
    }
  }

  private static void requirePart(
      Rig rig, DmaMapping mapping, MemorySegment memory, byte[] ours, byte[] theirs, int offset, int length) {
    rig.device.tryWrite(mapping.dmaAddress(), theirs);
    memory.copyFrom(MemorySegment.ofArray(ours));
    mapping.syncForCpu(offset, length);
    requireMixed(memory.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE), ours, theirs, offset, length);
    rig.device.tryWrite(mapping.dmaAddress(), theirs);
    memory.copyFrom(MemorySegment.ofArray(ours));
    mapping.syncForDevice(offset, length);
    requireMixed(rig.device.tryRead(mapping.dmaAddress(), ours.length), theirs, ours, offset, length);
  }

  /** Requires {@code around} but for the part, which must be of {@code part}. */
  private static void requireMixed(byte[] found, byte[] around, byte[] part, int offset, int length) {
    int end = offset + length;
    boolean same =
        Arrays.equals(found, 0, offset, around, 0, offset)
            && Arrays.equals(found, offset, end, part, offset, end)
            && Arrays.equals(found, end, found.length, around, end, around.length);
    assertThat(same).as("offset %d, length %d", offset, length).isTrue();
  }

  @Test
  void overwritePromisesThatNothingNeedBeCopiedIn() {
    try (Rig rig = forced()) {
      MemoryBlock block = rig.allocate(4096, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping mapping = rig.mapper.map(block.phys(0), 4096, DmaDirection.FROM_DEVICE, DmaAttributes.OVERWRITE)) {
        rig.device.tryWrite(mapping.dmaAddress(), Rig.patterned(4096, 8));
      }
      assertThat(rig.layer.statistics().bytesIn()).isZero();
      assertThat(Rig.bytes(block.segment(), 0, 4096)).isEqualTo(Rig.patterned(4096, 8));
    }
  }

  @Test
  void heapArraysAndForeignSegmentsAreStagedAlsoWhereNothingElseBounces() {
    try (Rig rig = rig(DeviceLimits.UNLIMITED, Rig.CONFIG); Arena arena = Arena.ofConfined()) {
      byte[] array = Rig.patterned(10_000, 2);
      MemorySegment foreign = arena.allocate(3000);
      Rig.fill(foreign, 6);
      try (DmaMapping heap = rig.mapper.map(MemorySegment.ofArray(array).asSlice(3, 9000), DmaDirection.BIDIRECTIONAL, NONE);
          DmaMapping off = rig.mapper.map(foreign, DmaDirection.TO_DEVICE, NONE)) {
        assertThat(rig.device.tryRead(heap.dmaAddress(), 9000)).isEqualTo(Arrays.copyOfRange(array, 3, 9003));
        assertThat(rig.device.tryRead(off.dmaAddress(), 3000)).isEqualTo(Rig.bytes(foreign, 0, 3000));
        rig.device.tryWrite(heap.dmaAddress() + 5, new byte[] {1, 2, 3});
        heap.syncForCpu(5, 2);
        assertThat(Arrays.copyOfRange(array, 8, 11)).isEqualTo(new byte[] {1, 2, Rig.pattern(2, 10)});
        heap.unmap();
        assertThat(array[10]).isEqualTo((byte) 3);
      }
      MemoryBlock block = rig.allocate(4096, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping mapping = rig.mapper.map(block.segment(), DmaDirection.FROM_DEVICE, NONE)) {
        assertThat(mapping.dmaAddress()).isEqualTo(block.phys(0));
        assertThat(mapping.needsUnmap()).isFalse();
      }
    }
  }

  @Test
  void stagingSwitchedOffLeavesTheLayerOutOfTheStack() {
    try (Rig rig = rig(DeviceLimits.UNLIMITED, Rig.CONFIG.withStage(false))) {
      assertThat(rig.layer.statistics().devices()).isZero();
      assertThatThrownBy(() -> rig.mapper.map(MemorySegment.ofArray(new byte[10]), DmaDirection.TO_DEVICE, NONE))
          .isInstanceOf(DmaMappingException.class)
          .hasMessageContaining("add a bounce layer");
    }
  }

  @Test
  void readOnlySegmentsAreRefusedAtTheDoorForDevicesThatWrite() {
    try (Rig rig = rig(DeviceLimits.UNLIMITED, Rig.CONFIG)) {
      MemorySegment inPlace = rig.allocate(100, MemoryPlacement.CONTIGUOUS).segment();
      for (MemorySegment segment : new MemorySegment[] {MemorySegment.ofArray(new byte[100]), inPlace}) {
        MemorySegment fixed = segment.asReadOnly();
        assertThatThrownBy(() -> rig.mapper.map(fixed, DmaDirection.FROM_DEVICE, NONE))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("0000:01:00.0")
            .hasMessageContaining("read-only");
        rig.mapper.map(fixed, DmaDirection.TO_DEVICE, NONE).close();
      }
    }
  }

  @Test
  void segmentsThatCannotBeCopiedAreRefusedAtTheDoorAlsoWhereNothingIsCopiedYet() {
    try (Rig rig = rig(DeviceLimits.UNLIMITED, Rig.CONFIG); ExecutorService other = Executors.newSingleThreadExecutor()) {
      MemorySegment closed;
      try (Arena arena = Arena.ofConfined()) {
        closed = arena.allocate(100);
        for (int attributes : new int[] {NONE, DmaAttributes.OVERWRITE}) {
          assertThatThrownBy(() -> other.submit(() -> rig.mapper.map(closed, DmaDirection.FROM_DEVICE, attributes)).get())
              .hasCauseInstanceOf(IllegalStateException.class)
              .hasMessageContaining("0000:01:00.0: cannot map a segment of 0x64 bytes: it is confined to another thread");
        }
      }
      for (int attributes : new int[] {NONE, DmaAttributes.OVERWRITE}) {
        assertThatThrownBy(() -> rig.mapper.map(closed, DmaDirection.FROM_DEVICE, attributes))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageStartingWith("0000:01:00.0: cannot map a segment of 0x64 bytes: its arena was closed");
      }
      assertThat(rig.slotsUsed()).isZero();
    }
  }

  @Test
  @Tag("breaks:memory-gone")
  void aSegmentThatIsClosedUnderTheDeviceIsNamedWithItsDeviceAndGivesItsSlotsBack() {
    try (Rig rig = rig(DeviceLimits.UNLIMITED, Rig.CONFIG); DmaMapping mapping = rig.mapper.newMapping()) {
      try (Arena arena = Arena.ofConfined()) {
        mapping.map(arena.allocate(300), DmaDirection.BIDIRECTIONAL, NONE);
      }
      requireLost("into", () -> mapping.syncForDevice(10, 20), "0x14");
      requireLost("out of", () -> mapping.syncForCpu(10, 20), "0x14");
      requireLost("out of", mapping::unmap, "0x12c");
      assertThat(rig.slotsUsed()).isZero();
    }
  }

  private static void requireLost(String way, ThrowingCallable call, String length) {
    assertThatThrownBy(call)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("0000:01:00.0: cannot copy %s slots a segment's %s bytes: its arena was closed; keep it open from map to unmap", way, length);
  }

  @Test
  void slotsStayTakenUntilTheBatchCompletes() {
    try (Rig rig = forced()) {
      MemoryBlock block = rig.allocate(4096, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping mapping = rig.mapper.newMapping(); InvalidationBatch batch = rig.mapper.newBatch()) {
        mapping.map(block.phys(0), 2048, DmaDirection.FROM_DEVICE, NONE);
        long first = mapping.dmaAddress();
        rig.device.tryWrite(first, Rig.patterned(2048, 30));
        mapping.unmap(batch);
        assertThat(Rig.bytes(block.segment(), 0, 2048)).isEqualTo(Rig.patterned(2048, 1));
        mapping.map(block.phys(2048), 2048, DmaDirection.FROM_DEVICE, NONE);
        assertThat(mapping.dmaAddress()).isNotEqualTo(first);
        assertThat(rig.slotsUsed()).isEqualTo(2);
        batch.complete();
        assertThat(Rig.bytes(block.segment(), 0, 2048)).isEqualTo(Rig.patterned(2048, 30));
        assertThat(rig.slotsUsed()).isEqualTo(1);
      }
    }
  }

  @Test
  void aDeviceThatDoesNotSnoopGetsSlotsForSharedLinesAndNeighboursKeepTheirBytes() {
    SlotOptions options = PLAIN.withCoherent(false);
    try (Rig rig = new Rig(new DirectBackend(), options, DeviceLimits.UNLIMITED, Rig.CONFIG)) {
      MemoryBlock block = rig.allocate(4096, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping mapping = rig.mapper.map(block.phys(100), 1000, DmaDirection.BIDIRECTIONAL, NONE)) {
        assertThat(rig.device.tryRead(mapping.dmaAddress(), 1000)).isEqualTo(Rig.bytes(block.segment(), 100, 1000));
        rig.device.tryWrite(mapping.dmaAddress(), Rig.patterned(500, 40));
        Rig.fill(block.segment().asSlice(0, 100), 50);
        mapping.syncForCpu(0, 500);
        assertThat(Rig.bytes(block.segment(), 100, 500)).isEqualTo(Rig.patterned(500, 40));
        assertThat(Rig.bytes(block.segment(), 0, 100)).isEqualTo(Rig.patterned(100, 50));
      }
      try (DmaMapping mapping = rig.mapper.map(block.phys(1024), 1024, DmaDirection.TO_DEVICE, NONE)) {
        assertThat(mapping.dmaAddress()).isEqualTo(block.phys(1024));
      }
    }
  }

  @Test
  @Tag("unchecked")
  void warmMappingsAndSyncsMakeNoGarbage() {
    try (Rig rig = forced(); DmaMapping mapping = rig.mapper.newMapping()) {
      MemoryBlock block = rig.allocate(4096, MemoryPlacement.CONTIGUOUS);
      MemorySegment heap = MemorySegment.ofArray(new byte[600]);
      long phys = block.phys(0);
      Runnable work =
          () -> {
            mapping.map(phys, 512, DmaDirection.BIDIRECTIONAL, NONE);
            mapping.syncForDevice(3, 100);
            mapping.syncForCpu(3, 100);
            mapping.unmap();
            mapping.map(heap, DmaDirection.BIDIRECTIONAL, NONE);
            mapping.unmap();
          };
      assertThat(Allocation.leastBytesOf(work)).isZero();
    }
  }
}
