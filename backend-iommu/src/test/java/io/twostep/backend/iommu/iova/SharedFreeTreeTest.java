package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SharedFreeTreeTest {
  private static final long GRANULES = 1 << 12;
  private static final int LEAF = 1 << Leaf.ORDER;

  private final FreeTree free = new FreeTree(GRANULES);
  private final SharedFreeTree tree = new SharedFreeTree(free);
  private final CacheStripe first = new CacheStripe(tree, new MagazineDepot[0]);
  private final CacheStripe second = new CacheStripe(tree, new MagazineDepot[0]);
  private final long[] starts = new long[LEAF];

  @Test
  void aStripeAloneTakesAsMuchAsItAsksForFromTheTop() {
    free.free(1, GRANULES);
    assertThat(tree.takeSome(first, 0, GRANULES - 1, starts, 1)).isEqualTo(1);
    assertThat(starts[0]).isEqualTo(GRANULES - 1);
    assertThat(tree.takeSome(first, 1, GRANULES - 2, starts, 2)).isEqualTo(2);
    assertThat(starts).startsWith(GRANULES - 4, GRANULES - 6);
  }

  @Test
  void aStripeThatComesAfterAnotherTakesALeafOfItsOwn() {
    free.free(1, GRANULES);
    assertThat(tree.takeSome(first, 0, GRANULES - 1, starts, 1)).isEqualTo(1);
    assertThat(tree.takeSome(second, 0, GRANULES - 1, starts, 1)).isEqualTo(LEAF);
    for (int i = 0; i < LEAF; i++) {
      assertThat(starts[i]).isEqualTo(GRANULES - LEAF - 1 - i);
    }
    assertThat(tree.takeSome(first, 5, GRANULES - 32, starts, 1)).isEqualTo(2);
    assertThat(starts).startsWith(GRANULES - 2 * LEAF - 32, GRANULES - 3 * LEAF);
    assertThat(tree.takenRanges()).isEqualTo(1 + LEAF + 2);
    assertThat(tree.takenGranules()).isEqualTo(1 + 2 * LEAF);
  }

  @Test
  void aLeafOfItsOwnKeepsToTheLimit() {
    free.free(1, GRANULES);
    tree.takeSome(first, 0, GRANULES - 1, starts, 1);
    assertThat(tree.takeSome(second, 0, 1000, starts, 1)).isEqualTo(LEAF);
    assertThat(starts[0]).isEqualTo(15 * LEAF - 1).isLessThanOrEqualTo(1000);
  }

  @Test
  void aLeafOfItsOwnMayEndAtTheLimit() {
    free.free(1, GRANULES);
    tree.takeSome(first, 2, GRANULES - 4, starts, 1);
    assertThat(tree.takeSome(second, 2, 16 * LEAF - 4, starts, 1)).isEqualTo(LEAF / 4);
    assertThat(starts[0]).isEqualTo(16 * LEAF - 4);
    assertThat(tree.takeSome(first, 2, 16 * LEAF - 5, starts, 1)).isEqualTo(LEAF / 4);
    assertThat(starts[0]).isEqualTo(15 * LEAF - 4);
    assertThat(tree.takeSome(second, 2, LEAF - 8, starts, 1)).as("no leaf below the limit").isEqualTo(1);
    assertThat(starts[0]).isEqualTo(LEAF - 8);
  }

  @Test
  void whereNoLeafIsFreeStripesShareWhatIsLeft() {
    free.free(LEAF + 1, LEAF + 9);
    assertThat(tree.takeSome(first, 0, GRANULES - 1, starts, 1)).isEqualTo(1);
    assertThat(tree.takeSome(second, 0, GRANULES - 1, starts, 1)).isEqualTo(1);
    assertThat(starts[0]).isEqualTo(LEAF + 7);
    assertThat(tree.takeSome(first, 0, GRANULES - 1, starts, 64)).isEqualTo(6);
    assertThat(tree.takeSome(second, 0, GRANULES - 1, starts, 64)).isZero();
  }
}
