package io.twostep.machine.model.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.machine.model.Machines;
import io.twostep.machine.model.memory.Rng;
import org.junit.jupiter.api.Test;

/** What is forgotten of leaves, to the page, at both ends of the address space. */
class HistoryTest {
  private static final long PHYS = 1L << 40;

  private final History history = new History();
  private final long[] found = new long[16];

  @Test
  void forgetsOfALeafThePagesOfTheRangeAndNoOthers() {
    Rng rng = new Rng(Machines.seed());
    for (long base : new long[] {0, 1L << 30, -1L << 30}) {
      for (int round = 0; round < 200; round++) {
        history.clear();
        history.remember(base, leaf(30), 0, Walk.MARKED);
        long first = base + rng.below(1 << 30);
        long last = first + Math.min(rng.below(1 << (1 + rng.below(30))), base + (1L << 30) - 1 - first);
        history.forget(first, last, true);
        long firstPage = first & -4096L;
        long lastPage = last | 4095;
        for (long iova : new long[] {base, firstPage - 1, firstPage, first, last, lastPage, lastPage + 1, base + (1L << 30) - 1}) {
          boolean inLeaf = iova >>> 30 == base >>> 30;
          boolean gone = iova - firstPage >= 0 && iova - lastPage <= 0;
          int count = history.leavesFor(iova, found);
          assertThat(count).as("%x after forgetting %x..%x", iova, first, last).isEqualTo(inLeaf && !gone ? 1 : 0);
          if (count == 1) {
            assertThat(History.address(found[0])).isEqualTo(PHYS + (iova - base & -4096L));
            assertThat(found[0] & 7).isEqualTo(Walk.READ | Walk.MARKED);
          }
        }
      }
    }
  }

  @Test
  void forgetsEverythingOfTheLargestLeaves() {
    history.remember(0, leaf(51), 0, 0);
    history.forget(4096, 8191, false);
    assertThat(history.leavesFor(0, found)).isEqualTo(1);
    assertThat(history.leavesFor(4096, found)).isZero();
    assertThat(history.leavesFor((1L << 51) - 1, found)).isEqualTo(1);
    history.forget(0, -1L, false);
    assertThat(history.leavesFor(0, found)).isZero();
    assertThat(history.leavesFor((1L << 51) - 1, found)).isZero();
  }

  private static Walk leaf(int shift) {
    Walk walk = new Walk();
    walk.found(PHYS, shift, Walk.READ);
    return walk;
  }
}
