package io.twostep.machine.model.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.machine.model.Machines;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class IntMapTest {
  @Test
  void behavesAsAMapDoesOverARandomHistory() {
    long seed = Machines.seed();
    Rng rng = new Rng(seed);
    IntMap map = new IntMap();
    Map<Integer, Long> oracle = new HashMap<>();
    for (int i = 0; i < 300_000; i++) {
      int key = rng.below(1 << (4 + rng.below(12)));
      long value = rng.next() >>> 1;
      switch (rng.below(3)) {
        case 0 -> {
          map.put(key, value);
          oracle.put(key, value);
        }
        case 1 -> {
          Long was = oracle.remove(key);
          assertThat(map.remove(key)).as("seed %d", seed).isEqualTo(was == null ? IntMap.MISSING : was);
        }
        default -> assertThat(map.get(key)).as("seed %d", seed).isEqualTo(oracle.getOrDefault(key, IntMap.MISSING));
      }
      assertThat(map.size()).isEqualTo(oracle.size());
    }
  }
}
