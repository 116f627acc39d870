package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E7: strict unless asked to be lazy, and lazy only where nobody can be hurt. */
public interface FlushRules extends TckFixture {
  /** Rounds of a test that stale translations may survive by luck. */
  int ROUNDS = 12;

  /** E7a. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e7aStrictTeardownNeedsNothingElse() {
    needs(Behavior.TRANSLATES);
    assumeFalse(has(Behavior.LAZY), "the stack was asked to be lazy");
    teardowns(false);
  }

  /** E7b. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e7bBatchIsAsStrictAsItsTeardowns() {
    needs(Behavior.TRANSLATES);
    teardowns(true);
  }

  private void teardowns(boolean batched) {
    long length = Math.max(rounded(8192), rig().mapper().limits().granule());
    MemoryBlock block = rig().memory(length);
    for (int round = 0; round < ROUNDS; round++) {
      DmaMapping mapping = rig().map(block, 0, length, DmaDirection.BIDIRECTIONAL);
      long at = mapping.dmaAddress();
      rig().device().read(at, 16);
      if (batched) {
        try (InvalidationBatch batch = rig().mapper().newBatch()) {
          mapping.unmap(batch);
        }
        if (has(Behavior.LAZY)) {
          rig().mapper().awaitQuiescence();
        }
      } else {
        mapping.unmap();
      }
      rig().device().requireRefused(at + length / 2, "it was unmapped");
      rig().device().requireRefused(at, "it was unmapped");
      mapping.close();
    }
  }

  /** E7c. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e7cBouncedMemoryIsSafeOnceUnmapReturns() {
    needs(Behavior.BOUNCES);
    int length = (int) rounded(3000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    for (int round = 0; round < ROUNDS; round++) {
      DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.BIDIRECTIONAL);
      long at = mapping.dmaAddress();
      rig().device().write(at, Bytes.random(length, round));
      mapping.unmap();
      byte[] after = Bytes.of(block, 0, block.length());
      rig().device().tryWrite(at, Bytes.random(length, ~round));
      assertThat(Bytes.of(block, 0, block.length())).isEqualTo(after);
      mapping.close();
    }
  }

  /** E7d. */
  @Test
  @Tag("breaks:device-used-freed-coherent")
  default void e7dCoherentMemoryIsOutOfReachOnceFreed() {
    needs(Behavior.TRANSLATES);
    for (int round = 0; round < ROUNDS; round++) {
      DmaBuffer buffer = rig().mapper().allocateCoherent(4096);
      long at = buffer.dmaAddress();
      rig().device().read(at, 16);
      buffer.close();
      rig().device().requireRefused(at, "its coherent memory was freed");
    }
  }

  /** E7e. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e7eNothingIsReachableAfterQuiescence() {
    needs(Behavior.TRANSLATES);
    long length = Math.max(rounded(8192), rig().mapper().limits().granule());
    MemoryBlock block = rig().memory(length);
    long[] at = new long[64];
    for (int i = 0; i < at.length; i++) {
      try (DmaMapping mapping = rig().map(block, 0, length, DmaDirection.BIDIRECTIONAL)) {
        at[i] = mapping.dmaAddress();
        rig().device().read(at[i], 16);
      }
    }
    rig().mapper().awaitQuiescence();
    for (long address : at) {
      rig().device().requireRefused(address, "quiescence was awaited");
    }
  }

  /** E7f. */
  @Test
  default void e7fOpsSayWhetherTheyAreLazy() {
    assertThat(rig().ops().isLazy()).as("isLazy()").isEqualTo(has(Behavior.LAZY));
  }

  /** E7g. */
  @Test
  default void e7gCountOfFlushesGrowsBeforeDeferredAddressesAreHandedOut() {
    needs(Behavior.LAZY);
    DmaOps ops = rig().ops();
    assumeTrue(ops.flushesCompleted() != -1, "nobody counts flushes, which is allowed");
    MemoryBlock block = rig().memory(spaced(64 << 10));
    MappingState state = new MappingState(rig().layers());
    for (int i = 0; i < 3; i++) {
      Retirement batch = new Retirement(true);
      ops.map(state, block.phys(0), rounded(8192), DmaDirection.BIDIRECTIONAL.access(), batch);
      long before = ops.flushesCompleted();
      ops.unmap(state, batch);
      // Where the batch invalidates, the stack has made this teardown a strict one.
      boolean deferred = batch.isInvalidated();
      batch.complete();
      ops.quiesce();
      if (deferred) {
        assertThat(ops.flushesCompleted()).as("flushesCompleted() after a deferred teardown was flushed").isGreaterThan(before);
      }
      state.reset();
    }
  }
}
