package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaSink;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E8 and E10: a warm path makes no garbage, keeps nothing per page, and serves threads side by side. */
public interface HotPathRules extends TckFixture {
  /** Threads that share one mapper. */
  int THREADS = 4;

  /** Fail the test unless {@code work} leaves nothing on the heap once warm; a stack that says it makes garbage must make some. */
  private void requireNoGarbage(TckRig calm, String what, Runnable work) {
    if (has(Behavior.MAKES_GARBAGE)) {
      assertThat(Allocation.bytesOf(work)).as("heap bytes of 500 %s: a stack that makes none does not declare MAKES_GARBAGE", what).isPositive();
    } else {
      assertThat(calm.leastGarbageOf(work)).as("heap bytes of 500 %s", what).isZero();
    }
  }

  /** E8a. */
  @Test
  @Tag("unchecked")
  default void e8aWarmMappingsMakeNoGarbage() {
    TckRig calm = calm();
    MemoryBlock block = calm.memory(spaced(64 << 10));
    long phys = block.phys(crooked());
    long length = rounded(5000);
    try (DmaMapping mapping = calm.mapper().newMapping();
        InvalidationBatch batch = calm.mapper().newBatch()) {
      requireNoGarbage(
          calm,
          "warm mappings",
          () -> {
            mapping.map(phys, length, DmaDirection.BIDIRECTIONAL, 0);
            mapping.syncForDevice(0, length);
            mapping.syncForCpu(0, length);
            mapping.unmap(batch);
            batch.complete();
          });
    }
  }

  /** E8b. */
  @Test
  @Tag("unchecked")
  default void e8bWarmTransfersMakeNoGarbage() {
    TckRig calm = calm();
    MemoryBlock block = calm.memory(spaced(64 << 10));
    Ranges source = new Ranges().add(block.phys(crooked()), rounded(3000)).add(block.phys(spaced(16 << 10)), rounded(8192)).add(block.phys(spaced(40 << 10)), rounded(77));
    long[] sum = new long[1];
    DmaSink sink =
        (address, length, kind) -> {
          sum[0] += address;
          return true;
        };
    try (DmaTransfer transfer = calm.mapper().newTransfer()) {
      requireNoGarbage(
          calm,
          "warm transfers",
          () -> {
            transfer.map(source, DmaDirection.TO_DEVICE, 0, sink);
            transfer.unmap();
          });
    }
  }

  /** E10a. */
  @Test
  @Tag("unchecked")
  default void e10aLinkingManyUnitsCostsNoHeap() {
    needs(Behavior.TRANSLATES);
    TckRig calm = calm();
    long unit = granuleOf(calm);
    int units = (int) Math.min(32, (4 << 20) / unit);
    MemoryBlock block = calm.memory(unit * units);
    try (IovaReservation window = calm.mapper().newReservation()) {
      requireNoGarbage(
          calm,
          "warm windows of " + units + " units",
          () -> {
            window.tryAlloc(block.phys(0), unit * units, DmaDirection.BIDIRECTIONAL, 0);
            for (int i = 0; i < units; i++) {
              window.link(i * unit, block.phys((units - 1 - i) * unit), unit);
            }
            window.sync(0, unit * units);
            window.destroy();
          });
    }
  }

  /** E8c. */
  @Test
  @Tag("may-break:cache-line-shared")
  default void e8cThreadsMapSideBySide() throws InterruptedException {
    int length = (int) Math.max(rounded(6000), has(Behavior.TRANSLATES) ? rig().mapper().limits().granule() : 1);
    List<MemoryBlock> blocks = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      blocks.add(rig().memory(length * 2L));
    }
    rig().mapper();
    concurrently(
        thread -> {
          MemoryBlock block = blocks.get(thread);
          try (DmaMapping one = rig().mapper().newMapping();
              DmaMapping two = rig().mapper().newMapping()) {
            for (int round = 0; round < 150 * TckScale.factor(); round++) {
              byte[] mine = Bytes.random(64, thread * 1000L + round);
              Bytes.put(block, 0, mine);
              one.map(block.phys(0), length, DmaDirection.BIDIRECTIONAL, 0);
              two.map(block.phys(length), length, DmaDirection.FROM_DEVICE, 0);
              assertThat(rig().device().read(one.dmaAddress(), 64)).as("thread %d", thread).isEqualTo(mine);
              rig().device().write(two.dmaAddress(), mine);
              one.unmap();
              two.unmap();
              assertThat(Bytes.of(block, length, 64)).as("thread %d", thread).isEqualTo(mine);
            }
          }
        });
  }

  /** E8d. */
  @Test
  default void e8dThreadsLinkDisjointUnitsOfOneWindow() throws InterruptedException {
    needs(Behavior.SPARSE_WINDOWS);
    long unit = Math.max(4096, granuleOf(rig()));
    int each = 16;
    MemoryBlock block = rig().memory(unit * each);
    try (SparseWindow window = rig().mapper().newWindow(unit * each * THREADS, unit, DmaDirection.BIDIRECTIONAL, 0)) {
      concurrently(
          thread -> {
            for (int round = 0; round < 12 * TckScale.factor(); round++) {
              for (int i = 0; i < each; i++) {
                long offset = (i * (long) THREADS + thread) * unit;
                long at = window.link(offset, block.phys((i + round) % each * unit), unit, DmaDirection.BIDIRECTIONAL);
                assertThat(rig().device().read(at, 32)).as("thread %d, unit %d", thread, i).isEqualTo(Bytes.of(block, (i + round) % each * unit, 32));
              }
              for (int i = 0; i < each; i++) {
                window.unlink((i * (long) THREADS + thread) * unit, unit);
              }
            }
          });
    }
  }

  /** Work of one thread. */
  interface Work {
    /** Do the work of thread number {@code thread}. */
    void run(int thread);
  }

  private static void concurrently(Work work) throws InterruptedException {
    try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
      List<Future<?>> done = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        int thread = i;
        done.add(threads.submit(() -> work.run(thread)));
      }
      for (Future<?> one : done) {
        try {
          one.get();
        } catch (ExecutionException e) {
          throw new AssertionError(e.getCause());
        }
      }
    }
  }
}
