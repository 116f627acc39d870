package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class FreeTreeTest {
  private static final int OPERATIONS = Integer.getInteger("twostep.operations", 300_000);

  @Test
  void anOccupiedTreeGivesNothing() {
    assertThat(new FreeTree(1 << 20).take(1, 0, Long.MAX_VALUE)).isEqualTo(FreeTree.NONE);
  }

  @Test
  void aFreeTreeIsTakenFromTheTopAndWholeAgainAfterwards() {
    FreeTree tree = new FreeTree(1L << 36);
    tree.free(1, 1L << 36);
    assertThat(tree.take(64, 6, Long.MAX_VALUE)).isEqualTo((1L << 36) - 64);
    assertThat(tree.take(1L << 35, 35, Long.MAX_VALUE)).isEqualTo(FreeTree.NONE);
    tree.free((1L << 36) - 64, 1L << 36);
    assertThat(tree.take(1L << 35, 35, Long.MAX_VALUE)).isEqualTo(1L << 35);
    assertThat(tree.take(1L << 35, 35, Long.MAX_VALUE)).isEqualTo(FreeTree.NONE);
    assertThat(tree.take(1L << 34, 34, Long.MAX_VALUE)).isEqualTo(1L << 34);
  }

  @Test
  void theWidestSpaceWorksToItsLastGranule() {
    long granules = 1L << 58;
    FreeTree tree = new FreeTree(granules);
    tree.free(1, granules);
    assertThat(tree.take(1L << 57, 57, Long.MAX_VALUE)).isEqualTo(1L << 57);
    assertThat(tree.take(1, 0, Long.MAX_VALUE)).isEqualTo((1L << 57) - 1);
    assertThat(tree.take(5L << 50, 53, Long.MAX_VALUE)).isEqualTo((1L << 57) - (1L << 53));
  }

  @Test
  void everyTakeIsTheHighestHoleOfTheOracle() {
    long seed = Seeds.next();
    for (int space : new int[] {64, 100, 513, 5_000, 40_000}) {
      history(seed, space, OPERATIONS / 5);
    }
  }

  private static void history(long seed, int space, int operations) {
    RandomGenerator random = Seeds.random(seed);
    FreeTree tree = new FreeTree(space);
    OccupancyOracle oracle = new OccupancyOracle(space);
    tree.free(1, space);
    oracle.free(1, space);
    long[] starts = new long[space];
    long[] sizes = new long[space];
    int live = 0;
    int target = 1 + random.nextInt(space / 4);
    for (int i = 0; i < operations; i++) {
      String step = "-Dtwostep.seed=" + seed + " space " + space + " step " + i;
      if (i % 5_000 == 0) {
        target = 1 + random.nextInt(space / 4);
      }
      if (random.nextInt(200) == 0) {
        long from = random.nextInt(space);
        long to = from + 1 + random.nextInt((int) Math.min(300, space - from));
        assertThat(tree.isFree(from, to)).as(step).isEqualTo(oracle.isFree(from, to));
      }
      if (live > 0 && random.nextInt(2 * target) < live) {
        int index = random.nextInt(live);
        tree.free(starts[index], starts[index] + sizes[index]);
        oracle.free(starts[index], starts[index] + sizes[index]);
        live--;
        starts[index] = starts[live];
        sizes[index] = sizes[live];
        continue;
      }
      long size = RangeSize.roundUp(1 + random.nextInt(1 << random.nextInt(1, 32 - Integer.numberOfLeadingZeros(space))));
      int order = RangeSize.order(size);
      int alignOrder = random.nextInt(8) == 0 ? order + random.nextInt(6) : random.nextInt(order + 1);
      long bound = random.nextInt(4) == 0 ? random.nextInt(space) : Long.MAX_VALUE;
      long start = tree.take(size, alignOrder, bound);
      assertThat(start)
          .as("%s: %d granules aligned to 2^%d at or below %d", step, size, alignOrder, bound)
          .isEqualTo(expected(oracle, size, Math.max(order, alignOrder), bound));
      if (start >= 0) {
        oracle.occupy(start, start + size);
        starts[live] = start;
        sizes[live++] = size;
      }
    }
    for (int i = 0; i < live; i++) {
      tree.free(starts[i], starts[i] + sizes[i]);
    }
    Arrays.fill(starts, 0);
    assertThat(tree.isFree(1, space)).as("everything came back, -Dtwostep.seed=" + seed).isTrue();
    assertThat(tree.isFree(0, 1)).isFalse();
  }

  private static long expected(OccupancyOracle oracle, long size, int alignOrder, long bound) {
    long alignment = 1L << alignOrder;
    if (alignOrder > RangeSize.order(size)) {
      long whole = oracle.highest(alignment, alignment, bound);
      if (whole >= 0) {
        return whole;
      }
    }
    return oracle.highest(size, alignment, bound);
  }

  @Test
  void occupyingAnyRangesMatchesTheOracle() {
    long seed = Seeds.next();
    RandomGenerator random = Seeds.random(seed);
    int space = 30_000;
    for (int round = 0; round < 20; round++) {
      FreeTree tree = new FreeTree(space);
      OccupancyOracle oracle = new OccupancyOracle(space);
      for (int i = 0; i < 300; i++) {
        String step = "-Dtwostep.seed=" + seed + " round " + round + " step " + i;
        long from = random.nextInt(space);
        long to = from + 1 + random.nextInt((int) Math.min(1 << random.nextInt(1, 16), space - from));
        if (random.nextBoolean()) {
          tree.free(from, to);
          oracle.free(from, to);
        } else {
          tree.occupy(from, to);
          oracle.occupy(from, to);
        }
        assertThat(tree.isFree(from, to)).as(step).isEqualTo(oracle.isFree(from, to));
        long size = RangeSize.roundUp(1 + random.nextInt(600));
        long start = tree.take(size, 0, Long.MAX_VALUE);
        assertThat(start).as(step).isEqualTo(oracle.highest(size, 1L << RangeSize.order(size), Long.MAX_VALUE));
        if (start >= 0) {
          oracle.occupy(start, start + size);
        }
      }
    }
  }
}
