package io.twostep.machine.linux.vfiouser.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** The runs against a tree, over random histories, and at both ends of the address space. */
class DmaRunsTest {
  private static final int STEPS = 40_000;
  private static final long PAGES = 600;

  private final DmaRuns runs = new DmaRuns();

  @Test
  void randomHistoriesAgreeWithATree() {
    long seed = Long.getLong("twostep.seed", System.nanoTime());
    Random random = new Random(seed);
    long base = random.nextBoolean() ? 0x1000 : -0x1000 * PAGES / 2;
    MemorySegment memory = Arena.global().allocate(1);
    TreeMap<Long, Long> tree = new TreeMap<>(Long::compareUnsigned);
    for (int step = 0; step < STEPS; step++) {
      long iova = base + 0x1000 * random.nextLong(PAGES);
      long length = 0x1000L * (1 + random.nextInt(4));
      String when = "-Dtwostep.seed=%d, step %d, 0x%x+0x%x".formatted(seed, step, iova, length);
      boolean wraps = Long.compareUnsigned(iova + (length - 1), iova) < 0;
      if (random.nextInt(5) < 3 && !wraps) {
        boolean free = tree.subMap(iova, true, iova + (length - 1), true).isEmpty() && holder(tree, iova) == null;
        assertThat(runs.tryAdd(iova, length, DmaMap.READ, memory, iova >>> 1)).as(when).isEqualTo(free);
        if (free) {
          tree.put(iova, length);
        }
      } else {
        int run = runs.beginningAt(iova);
        assertThat(run >= 0).as(when).isEqualTo(tree.containsKey(iova));
        if (run >= 0) {
          runs.remove(run);
          tree.remove(iova);
        }
      }
      assertThat(runs.count()).as(when).isEqualTo(tree.size());
      long asked = base + random.nextLong(0x1000 * PAGES);
      int run = runs.at(asked);
      Long first = holder(tree, asked);
      assertThat(run >= 0).as(when).isEqualTo(first != null);
      if (first != null) {
        assertThat(runs.iova(run)).as(when).isEqualTo(first);
        assertThat(runs.length(run)).as(when).isEqualTo(tree.get(first));
        assertThat(runs.offset(run)).as(when).isEqualTo(first >>> 1);
      }
    }
    runs.clear();
    assertThat(runs.count()).isZero();
    assertThat(runs.at(base)).isEqualTo(-1);
  }

  private static Long holder(TreeMap<Long, Long> tree, long iova) {
    Map.Entry<Long, Long> before = tree.floorEntry(iova);
    return before != null && Long.compareUnsigned(iova - before.getKey(), before.getValue()) < 0 ? before.getKey() : null;
  }

  @Test
  void lastPageOfTheAddressSpaceIsAPageLikeAnyOther() {
    assertThat(runs.tryAdd(-0x1000, 0x1000, DmaMap.WRITE, null, 0)).isTrue();
    assertThat(runs.tryAdd(0, 0x1000, DmaMap.READ, null, 0)).isTrue();
    assertThat(runs.tryAdd(-0x2000, 0x2000, DmaMap.READ, null, 0)).isFalse();
    assertThat(runs.iova(runs.at(-1))).isEqualTo(-0x1000);
    assertThat(runs.allows(runs.at(-1), DmaMap.WRITE)).isTrue();
    assertThat(runs.allows(runs.at(-1), DmaMap.READ)).isFalse();
    assertThat(runs.at(0x1000)).isEqualTo(-1);
  }
}
