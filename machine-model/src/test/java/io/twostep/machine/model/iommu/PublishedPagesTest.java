package io.twostep.machine.model.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.machine.model.Machines;
import io.twostep.machine.model.memory.Rng;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class PublishedPagesTest {
  @Test
  void behavesAsASetOfPagesOverARandomHistory() {
    long seed = Machines.seed();
    Rng rng = new Rng(seed);
    PublishedPages pages = new PublishedPages();
    TreeSet<Long> oracle = new TreeSet<>();
    long[] origins = {0, 4096 * 5 - 300, 0xf_ffff_ffff_0000L, 1L << 35};
    for (int i = 0; i < 100_000; i++) {
      long first = origins[rng.below(origins.length)] + rng.below(9000);
      long last = first + rng.below(rng.oneIn(10) ? 5000 : 20);
      switch (rng.below(6)) {
        case 0 -> {
          pages.add(first, last);
          for (long p = first; p <= last; p++) {
            oracle.add(p);
          }
        }
        case 1 -> {
          pages.remove(first, last);
          oracle.subSet(first, true, last, true).clear();
        }
        case 2 -> {
          Long next = oracle.subSet(first, true, last, true).isEmpty() ? null : oracle.ceiling(first);
          assertThat(pages.next(first, last)).as("seed %d", seed).isEqualTo(next == null ? PublishedPages.NONE : next);
        }
        default -> assertThat(pages.contains(first)).as("page %d, seed %d", first, seed).isEqualTo(oracle.contains(first));
      }
    }
    assertThat(pages.next(0, -1L >>> 12)).isEqualTo(oracle.first());
    pages.clear();
    assertThat(pages.next(0, -1L >>> 12)).isEqualTo(PublishedPages.NONE);
  }
}
