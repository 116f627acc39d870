package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Random histories against one bit per granule, of users that keep ranges and of others: never two owners, never a failure while there is a hole. */
class AllocatorHistoryTest {
  private static final int OPERATIONS = Integer.getInteger("twostep.operations", 1_000_000);
  private static final int[] SPACES = {40, 700, 5_000, 60_000};

  @Test
  void everyAllocationIsExclusiveAlignedWithinItsLimitAndFailsOnlyWithoutAHole() {
    long seed = Seeds.next();
    for (int space : SPACES) {
      new History(seed, space).run(OPERATIONS / SPACES.length);
    }
  }

  private static final class History {
    private static final int SHIFT = 12;
    private static final int LONGEST_PHASE = 4_000;
    private static final int USERS = 3;
    private static final int OF_USERS = 8;

    private final long seed;
    private final int space;
    private final RandomGenerator random;
    private final IovaAllocator allocator;
    private final OccupancyOracle oracle;
    private final long[] iovas;
    private final long[] sizes;
    private final @Nullable KeptRange[] users = new KeptRange[USERS];

    /** For each live range the user who has it, and who gives it back. */
    private final @Nullable KeptRange[] owners;

    private int live;
    private int failures;
    private long liveGranules;
    private int reservedOnce;

    History(long seed, int space) {
      this.seed = seed;
      this.space = space;
      random = Seeds.random(seed + space);
      allocator = new IovaAllocator(new IovaSpace("history", 1L << SHIFT, 0, ((long) space << SHIFT) - 1), 2);
      oracle = new OccupancyOracle(space);
      oracle.free(1, space);
      iovas = new long[space];
      sizes = new long[space];
      owners = new KeptRange[space];
    }

    void run(int operations) {
      boolean growing = true;
      for (int step = 0; step < operations; step++) {
        if (random.nextInt(LONGEST_PHASE) == 0) {
          growing = !growing;
        }
        int action = random.nextInt(1000);
        if (action == 0) {
          allocator.drainCaches();
        } else if (action == 1 && reservedOnce < space / 20) {
          reserve(step);
        } else if (action == 2) {
          forgetUser();
        } else if (live > 0 && random.nextInt(100) < (growing ? 45 : 55)) {
          freeOne();
        } else {
          allocate(step);
        }
      }
      IovaStatistics statistics = allocator.statistics();
      assertThat(statistics.liveRanges()).as(where(operations)).isEqualTo(live);
      assertThat(statistics.liveGranules()).as(where(operations)).isEqualTo(liveGranules);
      long[] visited = new long[2];
      allocator.forEachLive(
          (iova, granules) -> {
            visited[0]++;
            visited[1] += RangeSize.roundUp(granules);
          });
      assertThat(visited).as(where(operations)).containsExactly(live, liveGranules);
      while (live > 0) {
        freeOne();
      }
      allocator.drainCaches();
      assertThat(allocator.statistics().cachedGranules()).as(where(operations)).isZero();
      assertThat(allocator.statistics().liveGranules()).as(where(operations)).isZero();
      assertThat(failures).as("the history reached exhaustion; " + where(operations)).isPositive();
    }

    private void allocate(int step) {
      long granules = 1 + random.nextInt(1 << random.nextInt(1, 33 - Integer.numberOfLeadingZeros(space / 8)));
      int order = RangeSize.order(granules);
      long alignment = random.nextInt(20) == 0 ? 1L << random.nextInt(order + 4) : 1;
      long highest = random.nextInt(4) == 0 ? random.nextLong((long) space << SHIFT) : -1L;
      long preferred = random.nextInt(4) == 0 ? random.nextLong((long) space << SHIFT) : -1L;
      KeptRange user = random.nextInt(OF_USERS) == 0 ? user() : null;
      long iova =
          user == null
              ? allocator.allocate(granules, alignment, preferred, highest)
              : allocator.allocate(user, granules, alignment, preferred, highest);
      long size = RangeSize.roundUp(granules);
      long needed = Math.max(alignment, 1L << order);
      String what = "%s: %d granules aligned to %d up to 0x%x".formatted(where(step), granules, alignment, highest);
      if (iova == IovaAllocator.NO_IOVA) {
        failures++;
        long top = Math.min(space, highest == -1L ? space : (highest + 1) >>> SHIFT) - size;
        assertThat(top < 0 ? -1 : oracle.highest(size, needed, top)).as(what).isEqualTo(-1);
        return;
      }
      long start = iova >>> SHIFT;
      assertThat(oracle.isFree(start, start + size)).as(what).isTrue();
      assertThat(start & (needed - 1)).as(what).isZero();
      assertThat(Long.compareUnsigned(((start + size) << SHIFT) - 1, highest)).as(what).isNotPositive();
      assertThat(start + size).as(what).isLessThanOrEqualTo(space);
      oracle.occupy(start, start + size);
      iovas[live] = iova;
      owners[live] = user;
      sizes[live++] = granules;
      liveGranules += size;
    }

    private void freeOne() {
      int index = random.nextInt(live);
      long start = iovas[index] >>> SHIFT;
      KeptRange owner = owners[index];
      if (owner != null && sizes[index] <= IovaAllocator.CACHED_GRANULES && owner.expect()) {
        allocator.keep(owner.place(), iovas[index], sizes[index]);
      } else {
        allocator.free(iovas[index], sizes[index]);
      }
      oracle.free(start, start + RangeSize.roundUp(sizes[index]));
      liveGranules -= RangeSize.roundUp(sizes[index]);
      live--;
      iovas[index] = iovas[live];
      sizes[index] = sizes[live];
      owners[index] = owners[live];
    }

    /** Choose a user, or make one. */
    private KeptRange user() {
      int chosen = random.nextInt(USERS);
      KeptRange user = users[chosen];
      if (user == null) {
        user = allocator.newKeptRange();
        users[chosen] = user;
      }
      return user;
    }

    /** Have a user go; who has ranges of its own gives them back like any other. */
    private void forgetUser() {
      int chosen = random.nextInt(USERS);
      KeptRange user = users[chosen];
      if (user != null) {
        allocator.forget(user);
        users[chosen] = null;
        for (int i = 0; i < live; i++) {
          owners[i] = owners[i] == user ? null : owners[i];
        }
      }
    }

    private void reserve(int step) {
      long from = random.nextInt(1, space);
      long to = Math.min(space, from + 1 + random.nextInt(8));
      boolean possible = true;
      for (int i = 0; i < live; i++) {
        long start = iovas[i] >>> SHIFT;
        possible &= start >= to || start + RangeSize.roundUp(sizes[i]) <= from;
      }
      boolean done = allocator.tryReserve(from << SHIFT, (to << SHIFT) - 1);
      assertThat(done).as("%s: reserve %d to %d", where(step), from, to).isEqualTo(possible);
      if (done) {
        oracle.occupy(from, to);
        reservedOnce++;
      }
    }

    private String where(int step) {
      return "-Dtwostep.seed=" + seed + " space " + space + " step " + step;
    }
  }
}
