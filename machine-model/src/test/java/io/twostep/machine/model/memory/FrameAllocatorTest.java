package io.twostep.machine.model.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.machine.model.Machines;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class FrameAllocatorTest {
  private static final long SEED = Machines.seed();

  @Test
  void neverHandsOutAFrameTwiceAndKeepsEveryFrame() {
    PhysicalLayout layout = PhysicalLayout.of(5L << 30);
    Rng rng = new Rng(SEED);
    FrameAllocator frames = new FrameAllocator(layout, rng.split("frames"));
    int fragmentsAtFirst = frames.fragments();
    BitSet taken = new BitSet();
    List<int[]> held = new ArrayList<>();
    long inUse = 0;
    for (int i = 0; i < 200_000; i++) {
      if (rng.below(100) < 52) {
        int count = rng.oneIn(50) ? 1 + rng.below(20_000) : 1 + rng.below(1 << rng.below(6));
        int last = rng.oneIn(3) ? layout.basePfn() + rng.below(layout.topPfn() - layout.basePfn()) : layout.topPfn() - 1;
        int first = rng.oneIn(4) ? layout.basePfn() + rng.below(last + 1 - layout.basePfn()) : layout.basePfn();
        int pfn = first == layout.basePfn() ? frames.allocateRun(count, last) : frames.allocateRunWithin(count, first, last);
        int order = 32 - Integer.numberOfLeadingZeros(count - 1);
        if (pfn == BuddyAllocator.NONE) {
          assertThat(firstFree(layout, taken, 1 << order, first, last)).as("%d frames from %d to %d, seed %d", count, first, last, SEED).isEqualTo(-1);
          continue;
        }
        assertThat(pfn).as("lower limit, seed %d", SEED).isGreaterThanOrEqualTo(first);
        assertThat(pfn & ((1 << order) - 1)).as("alignment of %d frames, seed %d", count, SEED).isZero();
        assertThat(pfn + count - 1).as("limit, seed %d", SEED).isLessThanOrEqualTo(last);
        assertThat(layout.holds((long) pfn << 12)).isTrue();
        assertThat(layout.holds(((long) pfn + count << 12) - 1)).isTrue();
        assertThat(taken.get(pfn, pfn + count).isEmpty()).as("frames %d+%d handed out once, seed %d", pfn, count, SEED).isTrue();
        taken.set(pfn, pfn + count);
        held.add(new int[] {pfn, count});
        inUse += count;
      } else if (!held.isEmpty()) {
        int at = rng.below(held.size());
        int[] run = held.set(at, held.getLast());
        held.removeLast();
        frames.freeRun(run[0], run[1]);
        taken.clear(run[0], run[0] + run[1]);
        inUse -= run[1];
      }
      assertThat(frames.freeFrames()).as("conservation, seed %d", SEED).isEqualTo(layout.frames() - inUse);
    }
    for (int[] run : held) {
      frames.freeRun(run[0], run[1]);
    }
    assertThat(frames.freeFrames()).isEqualTo(layout.frames());
    assertThat(frames.fragments()).as("everything joined again, seed %d", SEED).isEqualTo(fragmentsAtFirst);
  }

  /** Returns the first aligned free run between the bounds, or -1. */
  private static int firstFree(PhysicalLayout layout, BitSet taken, int size, int first, int last) {
    for (int pfn = first + size - 1 & -size; pfn + size - 1 <= last; pfn += size) {
      int next = taken.nextSetBit(pfn);
      if ((next < 0 || next >= pfn + size) && layout.holds((long) pfn << 12) && layout.holds(((long) pfn + size << 12) - 1)) {
        return pfn;
      }
    }
    return -1;
  }

  @Test
  void handsOutTheLastFrameBeforeItRefuses() {
    PhysicalLayout layout = PhysicalLayout.of(4L << 20);
    FrameAllocator frames = new FrameAllocator(layout, new Rng(SEED));
    for (int i = 0; i < layout.frames(); i++) {
      assertThat(frames.allocateSingle(layout.topPfn() - 1)).isNotEqualTo(BuddyAllocator.NONE);
    }
    assertThat(frames.allocateSingle(layout.topPfn() - 1)).isEqualTo(BuddyAllocator.NONE);
    assertThat(frames.allocateRun(1, layout.topPfn() - 1)).isEqualTo(BuddyAllocator.NONE);
  }

  @Test
  void leavesLowFramesToThoseWhoNeedThem() {
    PhysicalLayout layout = PhysicalLayout.of(5L << 30);
    FrameAllocator frames = new FrameAllocator(layout, new Rng(SEED));
    assertThat(frames.allocateSingle(layout.topPfn() - 1)).isGreaterThanOrEqualTo(PhysicalLayout.HIGH_PFN);
    assertThat(frames.allocateRun(64, layout.topPfn() - 1)).isGreaterThanOrEqualTo(PhysicalLayout.HIGH_PFN);
    assertThat(frames.allocateSingle(PhysicalLayout.HIGH_PFN - 1)).isLessThan(PhysicalLayout.HIGH_PFN);
  }

  @Test
  void joinsPooledFramesWhenOnlyThatMakesARun() {
    PhysicalLayout layout = PhysicalLayout.of(4L << 20);
    FrameAllocator frames = new FrameAllocator(layout, new Rng(SEED));
    int single = frames.allocateSingle(layout.topPfn() - 1);
    frames.freeRun(single, 1);
    assertThat(frames.allocateRun(512, layout.topPfn() - 1)).isNotEqualTo(BuddyAllocator.NONE);
  }

  @Test
  void drawsTheSameFramesFromTheSameSeedAndOthersFromAnother() {
    assertThat(draws(1)).isEqualTo(draws(1)).isNotEqualTo(draws(2));
  }

  private static List<Integer> draws(long seed) {
    FrameAllocator frames = new FrameAllocator(PhysicalLayout.of(64L << 20), new Rng(seed));
    List<Integer> drawn = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      drawn.add(frames.allocateSingle(Integer.MAX_VALUE));
    }
    return drawn;
  }
}
