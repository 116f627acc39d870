package io.twostep.backend.swiotlb.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.tck.Allocation;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;

class SlotPoolTest {
  private static final long BASE = 0x400_0000L;
  private static final long AREA = 1 << 20;
  private static final SlotRules ANYWHERE = new SlotRules(0, 0, -1L);

  private final FakeBlocks blocks = new FakeBlocks(BASE, 4);
  private final SlotPool pool = new SlotPool(blocks, AREA, 1, 4);

  /** The reference's vectors in order: same low bits and sizes; which free slot is chosen is ours, and so is that 4 KiB need not begin on a page. */
  @Test
  void referenceVectorsKeepTheSameBitsAndTakeTheSameSlots() {
    long low = 0x1234_5678L;
    requireTaken(ANYWHERE, 100, low, 0, 1);
    requireTaken(ANYWHERE, 4096, low, 0, 2);
    requireTaken(new SlotRules(0, 0xfff, -1L), 512, low, 0x678, 2);
    requireTaken(new SlotRules(0xfff, 0xfff, -1L), 0x100, 0x1234_5e10L, 0xe10, 2);
    requireTaken(new SlotRules(0xfff, 0, -1L), 0x100, 0x1234_5e10L, 0, 2);
  }

  private void requireTaken(SlotRules rules, long length, long low, long bits, long slots) {
    long before = pool.statistics().used();
    long at = pool.allocate(rules, length, low);
    long mask = rules.leastArea() - 1;
    assertThat(pool.phys(at) & mask).isEqualTo(bits);
    assertThat(pool.statistics().used() - before).isEqualTo(slots);
  }

  @Test
  void memoryIsMadeAtFirstNeedAndGivenBackAtClose() {
    assertThat(blocks.open).isZero();
    pool.free(ANYWHERE, pool.allocate(ANYWHERE, 1, 0));
    assertThat(blocks.open).isEqualTo(1);
    pool.close();
    assertThat(blocks.open).isZero();
  }

  @Test
  void areasAreGivenBackThoughOneBeforeThemIsStillHeld() {
    for (int i = 0; i < 4; i++) {
      assertThat(pool.allocate(ANYWHERE, AREA, 0)).isNotNegative();
    }
    blocks.held = BASE;
    assertThatThrownBy(pool::close).hasMessage("still held");
    assertThat(blocks.open).isEqualTo(1);
  }

  @Test
  void fullAreasMakeThePoolGrowUpToItsLimit() {
    for (int i = 0; i < 4; i++) {
      assertThat(pool.allocate(ANYWHERE, AREA, 0)).isNotNegative();
    }
    assertThat(pool.statistics()).isEqualTo(new PoolStatistics(2048, 2048, 2048, 4, 3));
    assertThat(pool.allocate(ANYWHERE, 1, 0)).isEqualTo(SlotPool.EXHAUSTED);
  }

  @Test
  void lackOfMemoryIsToldFromALackOfSlotsAndPasses() {
    FakeBlocks none = new FakeBlocks(BASE, 0);
    SlotPool poor = new SlotPool(none, AREA, 1, 2);
    assertThat(poor.allocate(ANYWHERE, 1, 0)).isEqualTo(SlotPool.NO_MEMORY);
    none.more(1);
    assertThat(poor.allocate(ANYWHERE, AREA, 0)).isNotNegative();
    assertThat(poor.allocate(ANYWHERE, 1, 0)).isEqualTo(SlotPool.NO_MEMORY);
  }

  @Test
  void memoryThatNoAreaCanBeMadeOfIsGivenBack() {
    blocks.fail(() -> new OutOfMemoryError("no room for the area's own lists"));
    assertThatThrownBy(() -> pool.allocate(ANYWHERE, 1, 0)).isInstanceOf(OutOfMemoryError.class);
    assertThat(blocks.open).isZero();
    assertThat(pool.allocate(ANYWHERE, AREA, 0)).isNotNegative();
    assertThat(pool.statistics().areas()).isEqualTo(1);
  }

  @Test
  void mostBytesFitAnEmptyPoolForEveryMaskAndAddress() {
    for (int keptBits = 0; keptBits <= 16; keptBits++) {
      for (int alignBits = 0; alignBits <= 16; alignBits++) {
        SlotRules rules = new SlotRules((1L << alignBits) - 1, (1L << keptBits) - 1, -1L);
        for (long low = 0; low < 1L << keptBits; low += low < 4096 ? 97 : 2039) {
          long at = pool.allocate(rules, rules.mostBytes(AREA), low);
          assertThat(at).as("align %d, kept %d, low 0x%x", alignBits, keptBits, low).isNotNegative();
          assertThat(pool.phys(at) - low & (1L << keptBits) - 1).isZero();
          pool.free(rules, at);
        }
      }
    }
    assertThat(pool.allocate(ANYWHERE, AREA + 1, 0)).isEqualTo(SlotPool.TOO_LARGE);
    assertThat(pool.allocate(ANYWHERE, Long.MAX_VALUE, 0)).isEqualTo(SlotPool.TOO_LARGE);
  }

  @Test
  void freeingTwiceIsRefused() {
    long at = pool.allocate(ANYWHERE, 5000, 0);
    pool.free(ANYWHERE, at);
    assertThatThrownBy(() -> pool.free(ANYWHERE, at)).isInstanceOf(IllegalStateException.class).hasMessageContaining("0x4000000");
  }

  @Test
  void masksThatAreNoMasksAreRefused() {
    assertThatThrownBy(() -> new SlotRules(5, 0, -1L)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("2^n - 1");
    assertThatThrownBy(() -> new SlotPool(blocks, 3000, 1, 1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new SlotPool(blocks, AREA, 4, 2)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void longestRunAgreesWithCounting() {
    long bits = 0x9e37_79b9_7f4a_7c15L;
    for (int i = 0; i < 100_000; i++) {
      bits = bits * 6364136223846793005L + 1442695040888963407L;
      long tried = i % 3 == 0 ? bits : i % 3 == 1 ? bits | bits << 1 | bits << 7 : bits & bits >>> 9;
      int best = 0;
      int run = 0;
      for (int bit = 0; bit < 64; bit++) {
        run = (tried >>> bit & 1) == 1 ? run + 1 : 0;
        best = Math.max(best, run);
      }
      assertThat(FreeRuns.longest(tried)).as("0x%x", tried).isEqualTo(best);
    }
    assertThat(FreeRuns.longest(0)).isZero();
    assertThat(FreeRuns.longest(-1L)).isEqualTo(64);
  }

  @Test
  void warmAllocationAndReleaseMakeNoGarbage() {
    SlotRules rules = new SlotRules(0xfff, 0xfff, 0xffff);
    pool.allocate(rules, 1, 0);
    assertThat(Allocation.leastBytesOf(() -> pool.free(rules, pool.allocate(rules, 4096, 0x1200)))).isZero();
  }

  @Test
  void threadsThatWereStartedInARowHaveAreasOfTheirOwn() throws InterruptedException {
    SlotPool wide = new SlotPool(blocks, AREA, 4, 4);
    for (int round = 0; round < 8; round++) {
      Map<Long, Long> areas = new ConcurrentHashMap<>();
      List<Thread> threads = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        threads.add(new Thread(() -> areas.put(Thread.currentThread().threadId(), wide.allocate(ANYWHERE, 1, 0) >>> 40)));
      }
      for (Thread thread : threads) {
        thread.start();
        thread.join();
      }
      for (Map.Entry<Long, Long> one : areas.entrySet()) {
        Long next = areas.get(one.getKey() + 1);
        assertThat(next).isNotEqualTo(one.getValue());
      }
    }
    wide.close();
  }

  /** Two that shared an area would hand its slots, and what is copied into them, from one processor's cache to the other's. */
  @Test
  void threadsWhoseNumbersAreAlikeHaveAreasOfTheirOwn() throws InterruptedException {
    SlotPool wide = new SlotPool(blocks, AREA, 4, 4);
    Set<Long> areas = ConcurrentHashMap.newKeySet();
    for (int t = 0; t < 4; t++) {
      Thread thread;
      do {
        thread = new Thread(() -> areas.add(wide.allocate(ANYWHERE, 1, 0) >>> 40));
      } while (thread.threadId() % 64 != 0);
      thread.start();
      thread.join();
    }
    assertThat(areas).hasSize(4);
    wide.close();
  }

  @Test
  void anAreaThatAnotherThreadIsInIsPassedOver() {
    SlotArea area = new SlotArea(Objects.requireNonNull(blocks.allocate(AREA)), AREA);
    area.lock();
    assertThat(area.tryAllocate(ANYWHERE, 1, 0)).isEqualTo(SlotArea.BUSY);
    area.unlock();
    assertThat(area.tryAllocate(ANYWHERE, 1, 0)).isNotNegative();
    assertThat(area.tryAllocate(ANYWHERE, AREA, 0)).isEqualTo(SlotArea.NONE);
    assertThat(area.used()).as("and left open").isEqualTo(1);
    area.close();
  }

  @Test
  void threadsNeverShareASlot() throws InterruptedException {
    SlotPool shared = new SlotPool(new FakeBlocks(BASE, 4), 256 << 10, 2, 4);
    List<Throwable> failures = new ArrayList<>();
    Set<Long> owned = new HashSet<>();
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < 4; t++) {
      int own = t;
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      hammer(shared, owned, own);
                    } catch (Throwable e) {
                      synchronized (failures) {
                        failures.add(e);
                      }
                    }
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(failures).isEmpty();
    assertThat(shared.statistics().used()).isZero();
  }

  private static void hammer(SlotPool pool, Set<Long> owned, int seed) {
    long[] held = new long[40];
    int[] slots = new int[40];
    long random = seed + 1;
    for (int i = 0; i < 30_000; i++) {
      random = random * 6364136223846793005L + 1442695040888963407L;
      int which = (int) (random >>> 33) % held.length;
      if (slots[which] != 0) {
        for (int s = 0; s < slots[which]; s++) {
          synchronized (owned) {
            assertThat(owned.remove(held[which] + s * SlotRules.SLOT)).isTrue();
          }
        }
        pool.free(ANYWHERE, held[which]);
        slots[which] = 0;
        continue;
      }
      int count = 1 + (int) (random >>> 50) % 5;
      long at = pool.allocate(ANYWHERE, count * SlotRules.SLOT, 0);
      if (at >= 0) {
        held[which] = at;
        slots[which] = count;
        for (int s = 0; s < count; s++) {
          synchronized (owned) {
            assertThat(owned.add(at + s * SlotRules.SLOT)).isTrue();
          }
        }
      }
    }
    for (int which = 0; which < held.length; which++) {
      if (slots[which] != 0) {
        for (int s = 0; s < slots[which]; s++) {
          synchronized (owned) {
            owned.remove(held[which] + s * SlotRules.SLOT);
          }
        }
        pool.free(ANYWHERE, held[which]);
      }
    }
  }
}
