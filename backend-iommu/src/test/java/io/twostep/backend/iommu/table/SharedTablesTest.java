package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Threads that own different ranges work at once on the same interior and leaf tables, without locks. */
class SharedTablesTest {
  private static final int THREADS = 4;
  private static final int ROUNDS = 60;
  private static final int BLOCK_PAGES = 16;
  private static final int BLOCKS = 48;
  private static final long BLOCK = BLOCK_PAGES * 4096L;

  static java.util.stream.Stream<TableFormat> formats() {
    return Formats.both();
  }

  @ParameterizedTest
  @MethodSource("formats")
  void disjointRangesShareTablesWithoutLocks(TableFormat format) throws Exception {
    Long given = Long.getLong("twostep.seed");
    long seed = given != null ? given : System.nanoTime();
    try (var fixture = new TableFixture(format);
        var threads = Executors.newFixedThreadPool(THREADS)) {
      var barrier = new CyclicBarrier(THREADS);
      List<Future<Void>> workers = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        workers.add(threads.submit(new Worker(fixture, barrier, i, new SplittableRandom(seed + i))));
      }
      for (Future<Void> worker : workers) {
        worker.get();
      }
      assertThat(fixture.leaves()).isZero();
      assertThat((long) fixture.memory.inUse()).isEqualTo(fixture.table.tablePages());
    } catch (Exception | AssertionError e) {
      throw new AssertionError("-Dtwostep.seed=" + seed, e);
    }
  }

  private record Worker(TableFixture fixture, CyclicBarrier barrier, int id, SplittableRandom random)
      implements Callable<Void> {

    @Override
    public @Nullable Void call() throws Exception {
      var detached = new TablePages();
      var cursor = new LeafCursor();
      var hardware = HardwareReader.of(fixture.memory, fixture.table);
      long[] phys = new long[BLOCKS];
      for (int round = 0; round < ROUNDS; round++) {
        // All threads meet, so that they race for the same missing tables and the same growth of the root.
        barrier.await();
        long region = (1L << 30) * (round + 1) + ((long) round << 41);
        region &= fixture.table.format().lastIova();
        for (int i = 0; i < BLOCKS; i++) {
          phys[i] = (random.nextLong(1L << 38) << 13) | 0x1000;
          long iova = block(region, i);
          assertThat(fixture.table.map(iova, phys[i], BLOCK, 3, RadixPageTable.ANY_LEAF, cursor, detached))
              .isEqualTo(TableResult.OK);
        }
        // A gibibyte of one's own below the shared table of level 2.
        long own = region + (1L + id << 30);
        assertThat(fixture.table.map(own, 0x1000, 1L << 22, 3, 4096, cursor, detached)).isEqualTo(TableResult.OK);
        for (int i = 0; i < BLOCKS; i++) {
          long iova = block(region, i) + random.nextLong(BLOCK);
          assertThat(hardware.translate(iova)).isTrue();
          assertThat(hardware.phys).isEqualTo(phys[i] + (iova & (BLOCK - 1)));
          assertThat(fixture.table.lookup(iova)).isEqualTo(hardware.phys);
        }
        assertThat(fixture.table.clearAndDetach(own, own + (1L << 30) - 1, cursor, detached))
            .isEqualTo(TableResult.OK);
        for (int i = 0; i < BLOCKS; i++) {
          long iova = block(region, i);
          assertThat(fixture.table.unlink(iova, iova + BLOCK - 1, cursor)).isEqualTo(TableResult.OK);
        }
        TablePages.freeChain(fixture.memory, detached.takeChain());
      }
      return null;
    }

    /** Blocks of all threads alternate, so that every leaf table has four owners. */
    private long block(long region, int i) {
      return region + ((long) i * THREADS + id) * BLOCK;
    }
  }
}
