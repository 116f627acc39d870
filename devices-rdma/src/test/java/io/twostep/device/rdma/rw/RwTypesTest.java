package io.twostep.device.rdma.rw;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.rdma.HcaException;
import io.twostep.device.rdma.rw.RwRig.Stack;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Which type is chosen, why, at which threshold; and that the bytes arrive whichever it is. */
class RwTypesTest {
  private static final RwLimits LIMITS = RwLimits.ofRanges(30);

  private enum Shape {
    LIST,
    VECTOR;

    int prepare(RwContext context, RwOperation operation, PhysRanges ranges, int key, long address) {
      return this == LIST ? context.prepareList(operation, ranges, key, address) : context.prepareVector(operation, ranges, key, address);
    }
  }

  /** Transfer both ways, look at both ends, and return what was said of it: reason, ranges for the adapter, work requests. */
  private static List<Object> transfer(RwRig rig, RwQueue queue, Shape shape, RwOperation operation, Pieces local) {
    long at = 777;
    local.fill(rig.random);
    byte[] before = local.bytes();
    byte[] theirs = rig.far(at, before.length);
    List<Long> held = rig.held();
    try (RwContext context = queue.newContext()) {
      int requests = shape.prepare(context, operation, local.ranges(), rig.farKey.key(), RwRig.FAR + at);
      List<Object> said = List.of(context.reason(), context.ranges(), requests);
      assertThat(context.type()).isEqualTo(context.reason().type());
      assertThat(context.bytes()).isEqualTo(before.length);
      assertThat(rig.run(context, 1)).as(RwRig.SEED).isEqualTo(CompletionStatus.SUCCESS);
      context.destroy();
      boolean writes = operation == RwOperation.WRITE;
      assertThat(rig.far(at, before.length)).as("far, %s, %s", said, RwRig.SEED).isEqualTo(writes ? before : theirs);
      assertThat(local.bytes()).as("near, %s, %s", said, RwRig.SEED).isEqualTo(writes ? before : theirs);
      assertThat(rig.held()).isEqualTo(held);
      return said;
    }
  }

  private static RwQueue queue(RwRig rig, RwLimits limits, int keys) {
    return new RwQueue(rig.pair, limits, keys);
  }

  @ParameterizedTest
  @EnumSource(Stack.class)
  void oneRangeIsOneWorkRequestWhateverItIsGivenAs(Stack stack) {
    try (RwRig rig = new RwRig(stack);
        RwQueue queue = queue(rig, LIMITS, 0)) {
      MemoryBlock block = rig.memory(8192);
      for (Shape shape : Shape.values()) {
        for (RwOperation operation : RwOperation.values()) {
          assertThat(transfer(rig, queue, shape, operation, new Pieces().add(block, 11, 3000))).containsExactly(RwReason.ONE_RANGE, 1, 1);
          assertThat(transfer(rig, queue, shape, operation, new Pieces().add(rig.peer, 11, 30_000))).containsExactly(RwReason.ONE_RANGE, 1, 1);
        }
      }
      assertThat(queue.prepared(RwType.SINGLE_WR)).isEqualTo(8);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Stack.class,
      names = {"IOMMU", "IOMMU_ACS"})
  void pagesBehindAnIommuAreOneWindowAndOneWorkRequest(Stack stack) {
    try (RwRig rig = new RwRig(stack);
        RwQueue queue = queue(rig, LIMITS, 0)) {
      MemoryBlock block = rig.memory(16 * 4096);
      Pieces pages = new Pieces().add(block, 4096 + 100, 3996).pages(block, 4, 9).add(block, 4096 * 14L, 33);
      for (RwOperation operation : RwOperation.values()) {
        assertThat(transfer(rig, queue, Shape.VECTOR, operation, pages)).containsExactly(RwReason.ONE_WINDOW, 1, 1);
        assertThat(transfer(rig, queue, Shape.LIST, operation, pages)).containsExactly(RwReason.ONE_RANGE, 1, 1);
      }
      assertThat(queue.prepared(RwType.IOVA)).isEqualTo(2);
    }
  }

  @Test
  void whereNothingTranslatesRangesStaySeveral() {
    try (RwRig rig = new RwRig(Stack.DIRECT);
        RwQueue queue = queue(rig, LIMITS, 0)) {
      Pieces pages = apart(rig.memory(16 * 4096));
      for (RwOperation operation : RwOperation.values()) {
        assertThat(transfer(rig, queue, Shape.VECTOR, operation, pages)).containsExactly(RwReason.NOT_TRANSLATED, 3, 1);
        assertThat(transfer(rig, queue, Shape.LIST, operation, pages)).containsExactly(RwReason.SCATTERED, 3, 1);
      }
    }
  }

  @Test
  void copiesThatLieSideBySideAreOneRange() {
    try (RwRig rig = new RwRig(Stack.BOUNCED);
        RwQueue queue = queue(rig, LIMITS, 0)) {
      Pieces pages = apart(rig.memory(16 * 4096));
      for (RwOperation operation : RwOperation.values()) {
        assertThat(transfer(rig, queue, Shape.VECTOR, operation, pages)).containsExactly(RwReason.ONE_RANGE, 1, 1);
        assertThat(transfer(rig, queue, Shape.LIST, operation, pages)).containsExactly(RwReason.ONE_RANGE, 1, 1);
      }
    }
  }

  private static Pieces apart(MemoryBlock block) {
    return new Pieces().pages(block, 1, 1).pages(block, 3, 1).add(block, 5 * 4096 + 7, 500);
  }

  @Test
  void gapAnywhereInAVectorKeepsItFromAWindowAndNotFromTransferring() {
    try (RwRig rig = new RwRig(Stack.IOMMU);
        RwQueue queue = queue(rig, LIMITS, 0)) {
      MemoryBlock block = rig.memory(8 * 4096);
      Pieces endOff = new Pieces().add(block, 0, 4095).pages(block, 2, 2);
      Pieces startOff = new Pieces().pages(block, 0, 1).add(block, 2 * 4096 + 1, 4095).pages(block, 4, 1);
      Pieces small = new Pieces().add(block, 512, 512).add(block, 4096 + 512, 512).add(block, 3 * 4096, 512);
      for (RwOperation operation : RwOperation.values()) {
        assertThat(transfer(rig, queue, Shape.VECTOR, operation, endOff)).containsExactly(RwReason.GAP, 2, 1);
        assertThat(transfer(rig, queue, Shape.VECTOR, operation, startOff)).containsExactly(RwReason.GAP, 2, 1);
        assertThat(transfer(rig, queue, Shape.VECTOR, operation, small)).containsExactly(RwReason.GAP, 3, 1);
        assertThat(transfer(rig, queue, Shape.LIST, operation, small)).containsExactly(RwReason.SCATTERED, 3, 1);
      }
    }
  }

  @Test
  void peersOnTheSameSwitchAreTakenByBusAddressAmongHostMemory() {
    try (RwRig rig = new RwRig(Stack.IOMMU);
        RwQueue queue = queue(rig, LIMITS, 0)) {
      MemoryBlock block = rig.memory(8 * 4096);
      Pieces mixed = new Pieces().pages(block, 0, 2).add(rig.peer, 4096, 8192).pages(block, 4, 3);
      for (RwOperation operation : RwOperation.values()) {
        long moved = rig.nearMachine.peerBytes(rig.near.mapper().slot()).direct();
        assertThat(transfer(rig, queue, Shape.VECTOR, operation, mixed)).containsExactly(RwReason.BUS_PEER, 3, 1);
        assertThat(transfer(rig, queue, Shape.LIST, operation, mixed)).containsExactly(RwReason.SCATTERED, 3, 1);
        assertThat(rig.nearMachine.peerBytes(rig.near.mapper().slot()).direct() - moved).isEqualTo(2 * 8192);
      }
    }
  }

  @Test
  void peersThroughTheHostBridgeShareTheWindowWithHostMemory() {
    try (RwRig rig = new RwRig(Stack.IOMMU_ACS);
        RwQueue queue = queue(rig, LIMITS, 0)) {
      MemoryBlock block = rig.memory(8 * 4096);
      Pieces mixed = new Pieces().pages(block, 0, 2).add(rig.peer, 4096, 8192).pages(block, 4, 3);
      for (RwOperation operation : RwOperation.values()) {
        long moved = rig.nearMachine.peerBytes(rig.near.mapper().slot()).bridged();
        assertThat(transfer(rig, queue, Shape.VECTOR, operation, mixed)).containsExactly(RwReason.ONE_WINDOW, 1, 1);
        assertThat(transfer(rig, queue, Shape.LIST, operation, mixed)).containsExactly(RwReason.ONE_RANGE, 1, 1);
        assertThat(rig.nearMachine.peerBytes(rig.near.mapper().slot()).bridged() - moved).isEqualTo(2 * 8192);
      }
    }
  }

  @Test
  void eachWorkRequestTakesAsManyRangesAsItsKindMay() {
    RwLimits limits = new RwLimits(7, 4, 0, RwLimits.MAX_KEY_PAGES, 1 << 30, false, false);
    try (RwRig rig = new RwRig(Stack.DIRECT);
        RwQueue queue = queue(rig, limits, 0)) {
      MemoryBlock block = rig.memory(40 * 4096);
      for (int ranges = 2; ranges <= 15; ranges++) {
        Pieces local = new Pieces();
        for (int i = 0; i < ranges; i++) {
          local.add(block, 2 * 4096L * i + i, 100 + i);
        }
        for (Shape shape : Shape.values()) {
          RwReason why = shape == Shape.LIST ? RwReason.SCATTERED : RwReason.NOT_TRANSLATED;
          assertThat(transfer(rig, queue, shape, RwOperation.WRITE, local)).containsExactly(why, ranges, (ranges + 6) / 7);
          assertThat(transfer(rig, queue, shape, RwOperation.READ, local)).containsExactly(why, ranges, (ranges + 3) / 4);
        }
      }
    }
  }

  @Test
  void onlyReadsOfListsIntoMoreRangesThanTheAdapterLikesTakeKeys() {
    try (RwRig rig = new RwRig(Stack.DIRECT);
        RwQueue queue = queue(rig, LIMITS.withLongRead(5), 2)) {
      MemoryBlock block = rig.memory(20 * 4096);
      for (int ranges = 2; ranges <= 7; ranges++) {
        Pieces local = new Pieces();
        for (int i = 0; i < ranges; i++) {
          local.pages(block, 2 * i, 1);
        }
        boolean isLong = ranges > 5;
        assertThat(transfer(rig, queue, Shape.LIST, RwOperation.READ, local))
            .containsExactly(isLong ? RwReason.LONG_READ : RwReason.SCATTERED, ranges, isLong ? 3 : 1);
        assertThat(transfer(rig, queue, Shape.LIST, RwOperation.WRITE, local)).containsExactly(RwReason.SCATTERED, ranges, 1);
        assertThat(transfer(rig, queue, Shape.VECTOR, RwOperation.READ, local)).containsExactly(RwReason.NOT_TRANSLATED, ranges, 1);
      }
      assertThat(queue.freeKeys()).isEqualTo(2);
    }
  }

  @Test
  void rangesThatCountAreThoseAfterTranslation() {
    try (RwRig rig = new RwRig(Stack.IOMMU);
        RwQueue queue = queue(rig, LIMITS.withLongRead(5), 2)) {
      Pieces local = new Pieces().pages(rig.memory(20 * 4096), 0, 20);
      assertThat(transfer(rig, queue, Shape.LIST, RwOperation.READ, local)).containsExactly(RwReason.ONE_RANGE, 1, 1);
    }
  }

  @Test
  void gapsAndSpentKeysMakeALongReadDoWithoutKeys() {
    try (RwRig rig = new RwRig(Stack.DIRECT);
        RwQueue queue = queue(rig, LIMITS.withLongRead(2).withKeyPages(4), 2)) {
      MemoryBlock block = rig.memory(40 * 4096);
      Pieces gap = new Pieces().pages(block, 0, 1).add(block, 3 * 4096, 512).pages(block, 5, 1);
      assertThat(transfer(rig, queue, Shape.LIST, RwOperation.READ, gap)).containsExactly(RwReason.KEY_GAP, 3, 1);
      Pieces fits = new Pieces();
      for (int i = 0; i < 8; i++) {
        fits.pages(block, 2 * i, 1);
      }
      assertThat(transfer(rig, queue, Shape.LIST, RwOperation.READ, fits)).containsExactly(RwReason.LONG_READ, 8, 6);
      fits.pages(block, 20, 1);
      assertThat(transfer(rig, queue, Shape.LIST, RwOperation.READ, fits)).containsExactly(RwReason.KEYS_SPENT, 9, 1);
    }
  }

  @Test
  void forcedKeysServeEverythingOneForEachStretchWithoutGaps() {
    for (Stack stack : Stack.values()) {
      try (RwRig rig = new RwRig(stack);
          RwQueue queue = queue(rig, LIMITS.withForceKeys().withKeyPages(4), 8)) {
        MemoryBlock block = rig.memory(40 * 4096);
        for (Shape shape : Shape.values()) {
          for (RwOperation operation : RwOperation.values()) {
            assertThat(transfer(rig, queue, shape, operation, new Pieces().add(block, 100, 200))).containsExactly(RwReason.FORCED, 1, 3);
            List<Object> gaps =
                transfer(rig, queue, shape, operation, new Pieces().add(block, 100, 200).add(block, 4096, 512).pages(block, 3, 1).add(rig.peer, 512, 4096));
            assertThat(gaps).startsWith(RwReason.FORCED);
            assertThat(gaps.get(2)).as("%s", stack).isEqualTo(12);
          }
        }
        assertThat(queue.freeKeys()).isEqualTo(8);
      }
    }
  }

  @Test
  void keysTakeAsManyPagesAsTheyHave() {
    try (RwRig rig = new RwRig(Stack.IOMMU);
        RwQueue queue = queue(rig, LIMITS.withReadsNeedKeys().withKeyPages(4), 3)) {
      MemoryBlock block = rig.memory(40 * 4096);
      for (int pages = 1; pages <= 12; pages++) {
        Pieces local = new Pieces().pages(block, 0, pages);
        assertThat(transfer(rig, queue, Shape.VECTOR, RwOperation.READ, local)).containsExactly(RwReason.READ_NEEDS_KEY, 1, 3 * ((pages + 3) / 4));
        assertThat(transfer(rig, queue, Shape.LIST, RwOperation.READ, local)).containsExactly(RwReason.READ_NEEDS_KEY, 1, 3 * ((pages + 3) / 4));
      }
      Pieces offPage = new Pieces().add(block, 1, 4095).pages(block, 1, 3).add(block, 4 * 4096, 1);
      assertThat(transfer(rig, queue, Shape.VECTOR, RwOperation.READ, offPage)).containsExactly(RwReason.READ_NEEDS_KEY, 1, 6);
      assertThat(transfer(rig, queue, Shape.VECTOR, RwOperation.WRITE, offPage)).containsExactly(RwReason.ONE_WINDOW, 1, 1);
      List<Long> held = rig.held();
      try (RwContext context = queue.newContext()) {
        PhysRanges tooMany = new Pieces().pages(block, 0, 13).ranges();
        assertThatExceptionOfType(HcaException.class)
            .isThrownBy(() -> context.prepareVector(RwOperation.READ, tooMany, 1, 0))
            .withMessageContaining("4 keys are needed and 3 are free");
        assertThat(rig.held()).isEqualTo(held);
        assertThat(queue.freeKeys()).isEqualTo(3);
      }
    }
  }

  @Test
  void messagesAreCutToWhatTheAdapterTakes() {
    try (RwRig rig = new RwRig(Stack.IOMMU);
        RwQueue queue = queue(rig, LIMITS.withMessageBytes(5000), 0);
        RwQueue keyed = queue(rig, LIMITS.withMessageBytes(5000).withForceKeys(), 8)) {
      MemoryBlock block = rig.memory(8 * 4096);
      Pieces local = new Pieces().pages(block, 0, 5);
      assertThat(transfer(rig, queue, Shape.VECTOR, RwOperation.READ, local)).containsExactly(RwReason.ONE_WINDOW, 1, 5);
      assertThat(transfer(rig, queue, Shape.LIST, RwOperation.WRITE, local)).containsExactly(RwReason.ONE_RANGE, 1, 5);
      assertThat(transfer(rig, keyed, Shape.LIST, RwOperation.WRITE, local)).containsExactly(RwReason.FORCED, 1, 15);
    }
  }

  @Test
  void nothingAndTooMuchAreRefusedAndLeaveNothing() {
    RwLimits one = new RwLimits(1, 1, 0, 1, 1 << 30, false, false);
    try (RwRig rig = new RwRig(Stack.DIRECT);
        RwQueue queue = queue(rig, one, 0);
        RwContext context = queue.newContext()) {
      MemoryBlock block = rig.memory(2 * RwRig.DEPTH * 4096 + 8192);
      Pieces many = new Pieces();
      for (int i = 0; i <= RwRig.DEPTH; i++) {
        many.add(block, 2 * 4096L * i, 1);
      }
      List<Long> held = rig.held();
      for (Shape shape : Shape.values()) {
        assertThatIllegalArgumentException().isThrownBy(() -> shape.prepare(context, RwOperation.READ, PhysRanges.of(), 1, 0)).withMessageContaining("no bytes");
        assertThatIllegalArgumentException()
            .isThrownBy(() -> shape.prepare(context, RwOperation.READ, many.ranges(), 1, 0))
            .withMessageContaining("65 work requests")
            .withMessageContaining("holds 64");
        assertThat(rig.held()).isEqualTo(held);
      }
    }
  }
}
