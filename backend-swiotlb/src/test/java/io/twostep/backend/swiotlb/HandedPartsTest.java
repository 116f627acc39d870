package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class HandedPartsTest {
  private static final int LENGTH = 60;

  @Test
  void partsAndGapsAreThoseOfASetOfBytes() {
    long seed = Seeds.next();
    RandomGenerator random = Seeds.random(seed);
    for (int round = 0; round < 300; round++) {
      HandedParts parts = new HandedParts();
      BitSet expected = new BitSet(LENGTH);
      while (expected.cardinality() < LENGTH) {
        int from = random.nextInt(LENGTH);
        int to = from + 1 + random.nextInt(Math.min(9, LENGTH - from));
        parts.add(from, to);
        expected.set(from, to);
        int first = random.nextInt(LENGTH);
        int last = first + random.nextInt(LENGTH + 1 - first);
        BitSet handed = new BitSet(LENGTH);
        BitSet gaps = new BitSet(LENGTH);
        parts.forEach(first, last, (begin, end) -> handed.set((int) begin, (int) end));
        parts.forEachGap(first, last, (begin, end) -> gaps.set((int) begin, (int) end));
        BitSet within = new BitSet(LENGTH);
        within.set(first, last);
        within.and(expected);
        assertThat(handed).as("-Dtwostep.seed=%d", seed).isEqualTo(within);
        within.flip(first, last);
        assertThat(gaps).as("-Dtwostep.seed=%d", seed).isEqualTo(within);
        assertThat(parts.isWhole(LENGTH)).isEqualTo(expected.cardinality() == LENGTH);
      }
    }
  }
}
