package io.twostep.device.rdma.rw;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.twostep.device.rdma.DataSegments;
import io.twostep.device.rdma.FastKey;
import io.twostep.device.rdma.QueuePair;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.rw.RwRig.Stack;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.machine.model.FailNth;
import io.twostep.tck.Allocation;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The life of a transfer: what is held when, what a failure leaves, and in which order it ends. */
class RwContextTest {
  private static final RwLimits LIMITS = RwLimits.ofRanges(6).withKeyPages(2);
  private static final RwLimits KEYED = LIMITS.withForceKeys();

  @Test
  void memoryThatIsTheCallersAgainIsOutOfTheAdaptersReach() {
    for (RwLimits limits : List.of(LIMITS, KEYED)) {
      try (RwRig rig = new RwRig(Stack.IOMMU);
          RwQueue queue = new RwQueue(rig.pair, limits, 4);
          RwContext context = queue.newContext()) {
        Pieces local = new Pieces().pages(rig.memory(4 * 4096), 0, 4);
        byte[] before = rig.far(0, 4096);
        context.prepareVector(RwOperation.READ, local.ranges(), rig.farKey.key(), RwRig.FAR);
        long address = context.dmaAddress(0);
        assertThat(rig.run(context, 1)).isEqualTo(CompletionStatus.SUCCESS);
        context.destroy();
        DataSegments stale = new DataSegments().add(queue.localKey(), address, 4096);
        rig.pair.postWrite(2, stale, rig.farKey.key(), RwRig.FAR, 0);
        assertThat(rig.await(2)).isEqualTo(CompletionStatus.LOCAL_PROTECTION);
        assertThat(rig.far(0, 4096)).isEqualTo(before);
        assertThat(rig.expectReports()).as("the checker saw it too").isEqualTo(1);
      }
    }
  }

  @Test
  void keyPermitsNothingBehindItsTransfer() {
    try (RwRig rig = new RwRig(Stack.DIRECT);
        RwQueue queue = new RwQueue(rig.pair, KEYED, 1);
        RwContext context = queue.newContext()) {
      Pieces local = new Pieces().pages(rig.memory(4096), 0, 1);
      context.prepareList(RwOperation.WRITE, local.ranges(), rig.farKey.key(), RwRig.FAR);
      long address = context.dmaAddress(0);
      assertThat(rig.run(context, 1)).isEqualTo(CompletionStatus.SUCCESS);
      context.destroy();
      FastKey key = queue.keys().take();
      queue.keys().give(key);
      DataSegments stale = new DataSegments().add(key, address, 8);
      rig.pair.postWrite(2, stale, rig.farKey.key(), RwRig.FAR, 0);
      assertThat(rig.await(2)).as("nothing translates here: only the key can stop it").isEqualTo(CompletionStatus.LOCAL_PROTECTION);
    }
  }

  @Test
  void whatWasPreparedAndNeverPostedUsesUpNoKey() {
    try (RwRig rig = new RwRig(Stack.IOMMU);
        RwQueue queue = new RwQueue(rig.pair, KEYED, 1);
        RwContext context = queue.newContext()) {
      Pieces local = new Pieces().pages(rig.memory(4 * 4096), 0, 2);
      FastKey key = queue.keys().take();
      queue.keys().give(key);
      int before = key.key();
      for (int round = 0; round < 3; round++) {
        context.prepareList(RwOperation.WRITE, local.ranges(), rig.farKey.key(), RwRig.FAR);
        context.destroy();
        assertThat(key.key()).isEqualTo(before);
      }
      context.prepareList(RwOperation.WRITE, local.ranges(), rig.farKey.key(), RwRig.FAR);
      assertThat(rig.run(context, 1)).isEqualTo(CompletionStatus.SUCCESS);
      assertThat(key.key()).as("each registration has a low byte of its own").isNotEqualTo(before);
    }
  }

  @Test
  void memoryIsNotUnmappedWhileTheAdapterMayUseIt() {
    try (RwRig rig = new RwRig(Stack.IOMMU);
        RwQueue queue = new RwQueue(rig.pair, LIMITS, 0);
        RwContext context = queue.newContext()) {
      Pieces local = new Pieces().pages(rig.memory(4 * 4096), 0, 4);
      assertThatIllegalStateException().isThrownBy(context::destroy).withMessageContaining("IDLE");
      assertThatIllegalStateException().isThrownBy(context::type);
      context.prepareVector(RwOperation.WRITE, local.ranges(), rig.farKey.key(), RwRig.FAR);
      assertThatIllegalStateException()
          .isThrownBy(() -> context.prepareList(RwOperation.WRITE, local.ranges(), rig.farKey.key(), RwRig.FAR))
          .withMessageContaining("PREPARED");
      assertThatIllegalStateException().isThrownBy(() -> context.ended(CompletionStatus.SUCCESS));
      List<Long> held = rig.held();
      context.post(1, 0);
      assertThatIllegalStateException().isThrownBy(context::destroy).withMessageContaining("POSTED");
      assertThatIllegalStateException().isThrownBy(context::close).withMessageContaining("POSTED");
      assertThatIllegalStateException().isThrownBy(() -> context.post(2, 0)).withMessageContaining("POSTED");
      assertThat(rig.held()).isEqualTo(held);
      context.ended(rig.await(1));
      context.destroy();
      assertThat(rig.held().get(0)).isEqualTo(held.get(0) - 1);
    }
  }

  @ParameterizedTest
  @EnumSource(RwOperation.class)
  void transferThatFailsGivesEverythingBackAndItsKeysAreForgottenFirst(RwOperation operation) {
    for (RwLimits limits : List.of(LIMITS, KEYED)) {
      try (RwRig rig = new RwRig(Stack.DIRECT);
          RwQueue queue = new RwQueue(rig.pair, limits, 3);
          RwContext context = queue.newContext()) {
        Pieces local = new Pieces().pages(rig.memory(8 * 4096), 0, 6);
        byte[] before = rig.far();
        List<Long> held = rig.held();
        FastKey key = queue.keys().take();
        queue.keys().give(key);
        context.prepareList(operation, local.ranges(), rig.farKey.key() + 1, RwRig.FAR);
        long address = context.dmaAddress(0);
        assertThat(rig.run(context, 1)).isNotEqualTo(CompletionStatus.SUCCESS);
        context.destroy();
        assertThat(rig.held()).isEqualTo(held);
        assertThat(queue.freeKeys()).isEqualTo(3);
        rig.secondPair().postWrite(2, new DataSegments().add(key, address, 8), rig.farKey.key(), RwRig.FAR, 0);
        assertThat(rig.await(2)).as("nothing translates here: only the key can stop it").isEqualTo(CompletionStatus.LOCAL_PROTECTION);
        assertThat(rig.far()).isEqualTo(before);
      }
    }
  }

  @Test
  void keyThatCannotBeReplacedAtOnceIsSoLaterAndKeepsNoMemoryMapped() {
    try (RwRig rig = new RwRig(Stack.IOMMU);
        RwQueue queue = new RwQueue(rig.pair, KEYED, 1);
        RwContext context = queue.newContext()) {
      Pieces local = new Pieces().pages(rig.memory(4096), 0, 1);
      context.prepareList(RwOperation.READ, local.ranges(), rig.farKey.key() + 1, RwRig.FAR);
      rig.run(context, 1);
      rig.nearMachine.failNth().arm(FailNth.Kind.ALLOCATE, 1);
      List<Long> held = rig.held();
      context.destroy();
      assertThat(rig.nearMachine.failNth().fired()).isTrue();
      assertThat(rig.held().getFirst()).as("the transfer's and the key's").isEqualTo(held.getFirst() - 2);
      assertThat(queue.freeKeys()).isEqualTo(1);
    }
  }

  @Test
  @Tag("unchecked")
  void transferThroughAWindowAllocatesNothing() {
    try (RwRig rig = new RwRig(Stack.IOMMU, 6, WireFaults.NONE, false);
        RwQueue queue = new RwQueue(rig.pair, LIMITS, 0);
        RwContext context = queue.newContext()) {
      PhysRanges ranges = new Pieces().pages(rig.memory(16 * 4096), 0, 16).ranges();
      long least =
          Allocation.leastBytesOf(
              () -> {
                context.prepareVector(RwOperation.WRITE, ranges, 1, 0);
                context.destroy();
              });
      assertThat(queue.prepared(RwType.IOVA)).isPositive();
      assertThat(least).as("bytes of the heap for 500 transfers, once warm").isZero();
    }
  }

  @Test
  void queuePairThatIsGoneEndsItsTransfers() {
    for (RwLimits limits : List.of(LIMITS, KEYED)) {
      try (RwRig rig = new RwRig(Stack.IOMMU);
          RwQueue queue = new RwQueue(rig.pair, limits, 3);
          RwContext context = queue.newContext()) {
        List<Long> held = rig.held();
        context.prepareList(RwOperation.READ, new Pieces().pages(rig.memory(8 * 4096), 0, 6).ranges(), rig.farKey.key(), RwRig.FAR);
        context.post(1, 0);
        rig.pair.close();
        context.destroy();
        assertThat(rig.held().subList(1, 3)).as("ranges of I/O addresses but the queue pair's, and pins").isEqualTo(List.of(held.get(1) - 1, held.get(2)));
        assertThat(queue.freeKeys()).isEqualTo(3);
      }
    }
  }

  @Test
  void transferIsPostedAsAWholeOrNotAtAll() {
    try (RwRig rig = new RwRig(Stack.DIRECT);
        RwQueue queue = new RwQueue(rig.pair, KEYED, 22);
        RwContext first = queue.newContext();
        RwContext second = queue.newContext()) {
      MemoryBlock block = rig.memory(64 * 4096);
      Pieces local = new Pieces();
      for (int i = 0; i < 21; i++) {
        local.add(block, 2 * 4096L * i, 100);
      }
      byte[] expected = local.bytes();
      assertThat(first.prepareList(RwOperation.WRITE, local.ranges(), rig.farKey.key(), RwRig.FAR)).isEqualTo(63);
      assertThat(second.prepareList(RwOperation.WRITE, new Pieces().add(block, 50 * 4096, 77).ranges(), rig.farKey.key(), RwRig.FAR + 8192)).isEqualTo(3);
      assertThat(first.post(1, 0)).isTrue();
      assertThat(second.post(2, 0)).isFalse();
      assertThat(rig.pair.room()).isEqualTo(1);
      first.ended(rig.await(1));
      assertThat(rig.ended).as("the others were silent").isEmpty();
      assertThat(second.post(2, 0)).isTrue();
      second.ended(rig.await(2));
      assertThat(rig.far(0, expected.length)).isEqualTo(expected);
    }
  }

  @Test
  void requestOfTheCallersBehindASilentTransferEndsBoth() {
    for (RwLimits limits : List.of(LIMITS, KEYED)) {
      try (RwRig rig = new RwRig(Stack.IOMMU);
          RwQueue queue = new RwQueue(rig.pair, limits, 3);
          RwContext context = queue.newContext()) {
        Pieces local = new Pieces().pages(rig.memory(8 * 4096), 0, 6);
        context.prepareVector(RwOperation.WRITE, local.ranges(), rig.farKey.key(), RwRig.FAR);
        assertThat(context.postSilently(7)).isTrue();
        rig.pair.postWrite(9, new DataSegments(), rig.farKey.key(), RwRig.FAR, QueuePair.FENCE);
        assertThat(rig.await(9)).isEqualTo(CompletionStatus.SUCCESS);
        assertThat(rig.ended).isEmpty();
        context.ended(CompletionStatus.SUCCESS);
        assertThat(rig.far(0, local.length())).isEqualTo(local.bytes());
      }
    }
  }

  private enum Way {
    LIST,
    VECTOR,
    KEYED
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void whicheverCallFailsNothingStaysHeldAndTheNextTransferSucceeds(Way way) {
    for (Stack stack : List.of(Stack.IOMMU, Stack.IOMMU_ACS)) {
      try (RwRig rig = new RwRig(stack);
          RwQueue queue = new RwQueue(rig.pair, way == Way.KEYED ? KEYED : LIMITS, 6)) {
        MemoryBlock block = rig.memory(16 * 4096);
        Pieces local = new Pieces().pages(block, 0, 3).add(rig.peer, 0, 4096).pages(block, 8, 2);
        int failed = 0;
        for (FailNth.Kind kind : List.of(FailNth.Kind.ALLOCATE, FailNth.Kind.PUBLISH)) {
          for (int n = 1; ; n++) {
            List<Long> held = rig.held();
            try (RwContext context = queue.newContext()) {
              rig.nearMachine.failNth().arm(kind, n);
              try {
                prepare(way, context, rig, local);
                context.destroy();
              } catch (RuntimeException e) {
                failed++;
              } finally {
                rig.nearMachine.failNth().disarm();
              }
              assertThat(rig.held()).as("%s %d", kind, n).isEqualTo(held);
              assertThat(queue.freeKeys()).isEqualTo(6);
              boolean fired = rig.nearMachine.failNth().fired();
              prepare(way, context, rig, local);
              assertThat(rig.run(context, n)).isEqualTo(CompletionStatus.SUCCESS);
              context.destroy();
              assertThat(rig.far(0, local.length())).isEqualTo(local.bytes());
              if (!fired) {
                break;
              }
            }
          }
        }
        assertThat(failed).as("%s %s", way, stack).isPositive();
      }
    }
  }

  private static void prepare(Way way, RwContext context, RwRig rig, Pieces local) {
    local.fill(rig.random);
    if (way == Way.VECTOR) {
      context.prepareVector(RwOperation.WRITE, local.ranges(), rig.farKey.key(), RwRig.FAR);
    } else {
      context.prepareList(RwOperation.WRITE, local.ranges(), rig.farKey.key(), RwRig.FAR);
    }
  }

  @Test
  void queueThatCannotBeHadLeavesNoKeyAndSaysWhatIsMissing() {
    try (RwRig rig = new RwRig(Stack.IOMMU, 4, WireFaults.NONE)) {
      assertThatIllegalArgumentException().isThrownBy(() -> new RwQueue(rig.pair, RwLimits.ofRanges(5), 0)).withMessageContaining("5 ranges");
      assertThatIllegalArgumentException().isThrownBy(() -> new RwQueue(rig.pair, RwLimits.ofRanges(4), 1)).withMessageContaining("at least " + QueuePair.REGISTER_SEGMENTS);
    }
    try (RwRig rig = new RwRig(Stack.IOMMU)) {
      for (int n = 1; ; n++) {
        List<Long> held = rig.held();
        rig.nearMachine.failNth().arm(FailNth.Kind.ALLOCATE, n);
        try {
          new RwQueue(rig.pair, KEYED, 3).close();
        } catch (RuntimeException e) {
          assertThat(e).hasMessageContaining("0000:04:00.0");
        }
        rig.nearMachine.failNth().disarm();
        assertThat(rig.held()).isEqualTo(held);
        if (!rig.nearMachine.failNth().fired()) {
          assertThat(n).isGreaterThan(3);
          break;
        }
      }
    }
  }
}
