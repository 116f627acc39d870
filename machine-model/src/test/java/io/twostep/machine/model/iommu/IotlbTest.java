package io.twostep.machine.model.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.machine.model.Machines;
import io.twostep.machine.model.memory.Rng;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class IotlbTest {
  @Test
  void answersOnlyWithWhatWasPutLastAndNeverWithWhatWasInvalidated() {
    long seed = Machines.seed();
    Rng rng = new Rng(seed);
    Iotlb cache = new Iotlb(12, 64, rng.split("ways"));
    Map<Long, Long> oracle = new HashMap<>();
    int hits = 0;
    for (int i = 0; i < 300_000; i++) {
      long page = rng.below(200);
      long iova = (page << 12) | rng.below(4096);
      switch (rng.below(8)) {
        case 0, 1, 2 -> {
          cache.put(iova, i * 4096L, i & 7);
          oracle.put(page, (long) i);
        }
        case 3 -> {
          long last = rng.oneIn(20) ? -1L : Math.min(199, page + rng.below(rng.oneIn(4) ? 100 : 8)) << 12;
          cache.invalidate(iova, last < 0 ? last : Math.max(last, iova));
          for (long p = page; p < 200 && (last < 0 || p <= last >>> 12); p++) {
            oracle.remove(p);
          }
        }
        default -> {
          int entry = cache.find(iova);
          if (entry != Iotlb.MISS) {
            hits++;
            assertThat(oracle).as("page %d, seed %d", page, seed).containsKey(page);
            assertThat(cache.phys(entry)).as("seed %d", seed).isEqualTo(oracle.get(page) * 4096);
            assertThat(cache.info(entry)).as("seed %d", seed).isEqualTo((int) (oracle.get(page) & 7));
          }
        }
      }
    }
    assertThat(hits).isGreaterThan(10_000);
  }
}
