package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.tck.Allocation;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class AllocatorSharingTest {
  private static final int SHIFT = 12;
  private static final int[] SIZES = {1, 2, 3, 7, 16, 32, 33, 64, 200, 700};

  /** A range on its way from the thread that allocated it to one that frees it, or gives it back to who keeps it. */
  private record Handed(long iova, int granules, @Nullable KeptRange keeper) {
    void release(IovaAllocator allocator) {
      if (keeper != null) {
        allocator.keep(keeper.place(), iova, granules);
      } else {
        allocator.free(iova, granules);
      }
    }
  }

  @Test
  void noGranuleHasTwoOwnersAmongFourThreads() throws InterruptedException {
    int space = 20_000;
    int rounds = 60_000;
    long seed = Seeds.next();
    IovaAllocator allocator = new IovaAllocator(new IovaSpace("shared", 1L << SHIFT, 0, ((long) space << SHIFT) - 1), 2);
    AtomicIntegerArray owners = new AtomicIntegerArray(space);
    ConcurrentLinkedQueue<Handed> passing = new ConcurrentLinkedQueue<>();
    ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
    List<Thread> threads = new ArrayList<>();
    for (int t = 1; t <= 4; t++) {
      int owner = t;
      Thread thread = new Thread(() -> work(allocator, owners, passing, owner, Seeds.random(seed + owner), rounds));
      thread.setUncaughtExceptionHandler((which, failure) -> failures.add(failure));
      threads.add(thread);
    }
    threads.forEach(Thread::start);
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(failures).as("seed " + seed).isEmpty();
    for (Handed handed : passing) {
      release(allocator, owners, handed);
    }
    IovaStatistics statistics = allocator.statistics();
    assertThat(statistics.liveRanges()).isZero();
    assertThat(statistics.liveGranules()).isZero();
    allocator.drainCaches();
    assertThat(allocator.statistics().cachedGranules()).isZero();
    assertThat(allocator.tryReserve(0, -1L)).as("the whole space is free again").isTrue();
  }

  private static void work(
      IovaAllocator allocator,
      AtomicIntegerArray owners,
      ConcurrentLinkedQueue<Handed> passing,
      int owner,
      RandomGenerator random,
      int rounds) {
    ArrayList<Handed> mine = new ArrayList<>();
    KeptRange kept = allocator.newKeptRange();
    for (int i = 0; i < rounds; i++) {
      if (random.nextInt(500) == 0) {
        allocator.forget(kept);
        kept = allocator.newKeptRange();
      }
      if (random.nextInt(5_000) == 0) {
        allocator.drainCaches();
      }
      int granules = SIZES[random.nextInt(SIZES.length)];
      long iova = allocator.allocate(kept, granules, 1, -1L, -1L);
      if (iova != IovaAllocator.NO_IOVA) {
        int start = (int) (iova >>> SHIFT);
        for (int g = 0; g < RangeSize.roundUp(granules); g++) {
          if (!owners.compareAndSet(start + g, 0, owner)) {
            throw new AssertionError("granule " + (start + g) + " has owner " + owners.get(start + g));
          }
        }
        mine.add(new Handed(iova, granules, granules <= IovaAllocator.CACHED_GRANULES && kept.expect() ? kept : null));
      }
      while (mine.size() > 40 || (iova == IovaAllocator.NO_IOVA && !mine.isEmpty())) {
        Handed handed = mine.remove(random.nextInt(mine.size()));
        if (random.nextInt(8) == 0) {
          passing.add(handed);
          handed = passing.poll();
        }
        if (handed != null) {
          release(allocator, owners, handed);
        }
      }
    }
    passing.addAll(mine);
    allocator.forget(kept);
  }

  private static void release(IovaAllocator allocator, AtomicIntegerArray owners, Handed handed) {
    int start = (int) (handed.iova() >>> SHIFT);
    for (int g = 0; g < RangeSize.roundUp(handed.granules()); g++) {
      owners.set(start + g, 0);
    }
    handed.release(allocator);
  }

  @Test
  void whatAUserKeepsIsTakenByTheUserOrByWhoDrains() throws InterruptedException {
    int space = 4;
    FreeTree free = new FreeTree(space);
    free.free(1, space);
    SharedFreeTree tree = new SharedFreeTree(free);
    KeptRanges users = new KeptRanges(tree);
    KeptRange kept = users.add();
    AtomicIntegerArray owners = new AtomicIntegerArray(space);
    ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
    Thread user = new Thread(() -> {
      for (int i = 0; i < 1_000_000 && failures.isEmpty(); i++) {
        long word = kept.word;
        long start = word != 0 && kept.tryTake(word) ? KeptRange.start(word) : tree.take(1, 0, space);
        own(owners, start, 1);
        owners.set((int) start, 0);
        if (!kept.tryKeep(start, 1)) {
          tree.free(start, 1);
        }
      }
    });
    Thread drainer = new Thread(() -> {
      while (user.isAlive() && failures.isEmpty()) {
        users.drain();
        long start = tree.take(1, 0, space);
        own(owners, start, 2);
        owners.set((int) start, 0);
        tree.free(start, 1);
      }
    });
    for (Thread thread : List.of(user, drainer)) {
      thread.setUncaughtExceptionHandler((which, failure) -> failures.add(failure));
      thread.start();
    }
    user.join();
    drainer.join();
    assertThat(failures).isEmpty();
    users.drain();
    assertThat(tree.takenRanges()).isZero();
  }

  private static void own(AtomicIntegerArray owners, long start, int owner) {
    if (start == FreeTree.NONE || !owners.compareAndSet((int) start, 0, owner)) {
      throw new AssertionError("thread %d got granule %d, which is none or another's".formatted(owner, start));
    }
  }

  /** Ranges side by side have their table words in one cache line, and two threads would hand it to and fro with each mapping. */
  @Test
  void threadsWhoseNumbersAreAlikeGetAddressesApart() throws InterruptedException {
    IovaAllocator allocator = new IovaAllocator(new IovaSpace("apart", 1L << SHIFT, 0, (1L << 32) - 1), 4);
    Set<Long> leaves = ConcurrentHashMap.newKeySet();
    for (int t = 0; t < 4; t++) {
      Thread thread;
      do {
        thread = new Thread(() -> leaves.add(allocator.allocate(1, -1L) >>> SHIFT + Leaf.ORDER));
      } while (thread.threadId() % 64 != 0);
      thread.start();
      thread.join();
    }
    assertThat(leaves).hasSize(4);
  }

  @Test
  void allocatingAndFreeingAllocatesNoHeapMemory() {
    IovaAllocator allocator = new IovaAllocator(new IovaSpace("heap", 1L << SHIFT, 0, (1L << 48) - 1), 2);
    int[] sizes = {1, 3, 8, 32, 33, 256, 600, 5000};
    long[] iovas = new long[8 * sizes.length];
    long bytes =
        Allocation.leastBytesOf(
            () -> {
              for (int i = 0; i < iovas.length; i++) {
                iovas[i] = allocator.allocate(sizes[i % sizes.length], -1L);
              }
              for (int i = 0; i < iovas.length; i++) {
                allocator.free(iovas[i], sizes[i % sizes.length]);
              }
            });
    assertThat(bytes).isZero();
  }

  @Test
  void ageingKeepsCachesAndFootprintFlat() {
    long seed = Seeds.next();
    RandomGenerator random = Seeds.random(seed);
    IovaAllocator allocator = new IovaAllocator(new IovaSpace("old", 1L << SHIFT, 0, (1L << 48) - 1), 4);
    int live = 2_000;
    long[] iovas = new long[live];
    int[] sizes = new int[live];
    long mostTaken = 0;
    for (int i = 0; i < 600_000; i++) {
      int index = random.nextInt(live);
      if (sizes[index] != 0) {
        allocator.free(iovas[index], sizes[index]);
      }
      sizes[index] = 1 + random.nextInt(40);
      iovas[index] = allocator.allocate(sizes[index], -1L);
      if (i == 100_000) {
        mostTaken = taken(allocator.statistics());
      }
    }
    assertThat(taken(allocator.statistics())).as("seed " + seed).isLessThan(mostTaken + mostTaken / 4);
  }

  private static long taken(IovaStatistics statistics) {
    return statistics.liveGranules() + statistics.cachedGranules();
  }
}
