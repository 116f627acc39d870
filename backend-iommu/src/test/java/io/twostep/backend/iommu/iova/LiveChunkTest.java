package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LiveChunkTest {
  private static final int GRANULES = 1 << LiveChunk.ORDER;

  /** Between the halves of a block, and of course behind it, the next range may have the same pair. */
  private static final int HALF = GRANULES / 2;

  /** Bytes of a pair of cache lines. */
  private static final int PAIR = 128;

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
  void everyRangeOfAnOrderHasAnElementOfItsOwn(int order) {
    BitSet nodes = new BitSet();
    for (int start = 0; start < GRANULES; start += 1 << order) {
      nodes.set(node(start, order));
    }
    int count = GRANULES >>> order;
    assertThat(nodes.cardinality()).isEqualTo(count);
    assertThat(nodes.nextSetBit(0)).isEqualTo(count);
    assertThat(nodes.length()).isEqualTo(2 * count);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5})
  void aLeafHasOnePairOfLinesAndTheNextAnother(int order) {
    for (int leaf = 0; leaf < GRANULES; leaf += 64) {
      int pair = LiveChunk.smallNode(leaf, order) / PAIR;
      for (int start = leaf; start < leaf + 64; start += 1 << order) {
        assertThat(LiveChunk.smallNode(start, order) / PAIR).isEqualTo(pair);
      }
      if ((leaf + 64) % HALF != 0) {
        assertThat(LiveChunk.smallNode(leaf + 64, order) / PAIR).isNotEqualTo(pair);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {6, 7, 8, 9})
  void theNextLargerRangeHasAnotherPairOfLines(int order) {
    for (int start = 0; start < GRANULES; start += 1 << order) {
      int next = start + (1 << order);
      if (next % HALF != 0) {
        assertThat(LiveChunk.mediumNode(start, order) * Character.BYTES / PAIR)
            .isNotEqualTo(LiveChunk.mediumNode(next, order) * Character.BYTES / PAIR);
      }
    }
  }

  @Test
  void rangesOfAllOrdersAreToldApart() {
    LiveChunk chunk = new LiveChunk(3);
    long base = 3L << LiveChunk.ORDER;
    for (int order = 0; order <= 10; order++) {
      chunk.mark(base + (1L << order), size(order), order);
    }
    for (int order = 0; order <= 10; order++) {
      assertThat(chunk.sizeAt(base + (1L << order))).isEqualTo(size(order));
      assertThat(chunk.tryClear(base + (1L << order), size(order) - 1, order)).isFalse();
      assertThat(chunk.tryClear(base + (1L << order), size(order), order)).isTrue();
      assertThat(chunk.sizeAt(base + (1L << order))).isZero();
    }
  }

  /** Where no range of an order can begin, the element that a number leads to is that of another range. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
  void nothingIsForgottenByAStartThatIsNotAligned(int order) {
    LiveChunk chunk = new LiveChunk(0);
    for (int start = 0; start < GRANULES; start += 1 << order) {
      chunk.mark(start, size(order), order);
    }
    for (int start = 0; start < GRANULES; start++) {
      if ((start & (1 << order) - 1) != 0) {
        assertThat(chunk.tryClear(start, size(order), order)).isFalse();
      }
    }
    for (int start = 0; start < GRANULES; start += 1 << order) {
      assertThat(chunk.tryClear(start, size(order), order)).isTrue();
    }
  }

  private static int node(int start, int order) {
    return order <= RangeSize.SMALL_ORDER ? LiveChunk.smallNode(start, order) : LiveChunk.mediumNode(start, order);
  }

  /** The largest size of an order. */
  private static long size(int order) {
    return 1L << order;
  }
}
