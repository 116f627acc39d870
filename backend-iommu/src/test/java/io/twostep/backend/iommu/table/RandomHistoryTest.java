package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Long random histories, every answer and every granule of which an interval map foresees. */
class RandomHistoryTest {
  private static final int OPERATIONS = Integer.getInteger("twostep.operations", 202_000);
  private static final int PAGE = 4096;
  private static final int ISLAND_PAGES = 4096;
  private static final int CHECK_EVERY = 20_000;

  static java.util.stream.Stream<TableFormat> formats() {
    return Formats.all();
  }

  @ParameterizedTest
  @MethodSource("formats")
  void everyCallAndEveryGranuleAgreesWithTheOracle(TableFormat format) {
    Long given = Long.getLong("twostep.seed");
    long seed = given != null ? given : System.nanoTime();
    var history = new History(format, seed);
    try {
      history.run();
    } catch (RuntimeException | AssertionError e) {
      throw new AssertionError(
          format.name() + ", operation " + history.step + " (" + history.operation + "), -Dtwostep.seed=" + seed, e);
    }
  }

  private static final class History {
    final TableFormat format;
    final SplittableRandom random;
    final LeafOracle oracle;
    final long[] islands;
    int step;
    String operation = "start";

    History(TableFormat format, long seed) {
      this.format = format;
      this.random = new SplittableRandom(seed);
      this.oracle = new LeafOracle(format);
      long half = (long) ISLAND_PAGES / 2 * PAGE;
      // Around nothing, table borders of every level, and the very last address.
      this.islands =
          new long[] {
            0, (1L << 30) - half, (1L << 38) - half, format.lastIova() - 2 * half + 1, (format.lastIova() >>> 1) + 1 - half
          };
    }

    void run() {
      try (var fixture = new TableFixture(format)) {
        for (step = 0; step < OPERATIONS; step++) {
          act(fixture);
          if (step % CHECK_EVERY == 0) {
            checkAll(fixture);
          }
        }
        checkAll(fixture);
        assertThat(fixture.table.clearAndDetach(0, format.lastIova(), fixture.cursor, fixture.detached))
            .isEqualTo(TableResult.OK);
        assertThat(fixture.table.tablePages()).as("only the root is left").isEqualTo(1);
        assertThat(fixture.leaves()).isZero();
      }
    }

    private void act(TableFixture fixture) {
      int dice = random.nextInt(100);
      long first = islands[random.nextInt(islands.length)] + (long) random.nextInt(ISLAND_PAGES) * PAGE;
      long pages = 1 + random.nextInt(1 << random.nextInt(random.nextInt(64) == 0 ? 12 : 5));
      if (random.nextInt(16) == 0) {
        first &= -(1L << 21);
      }
      long last = first + pages * PAGE - 1;
      if (Long.compareUnsigned(last, format.lastIova()) > 0 || Long.compareUnsigned(last, first) < 0) {
        last = format.lastIova();
      }
      if (dice < 40) {
        map(fixture, first, last);
      } else if (dice < 55) {
        mapRun(fixture, first, last);
      } else if (dice < 70) {
        unlink(fixture, first, last);
      } else if (dice < 85) {
        clear(fixture, first, last);
      } else if (dice < 93) {
        detach(fixture, first, last);
      } else if (dice < 97) {
        protect(fixture, first, last);
      } else {
        mapHuge(fixture);
      }
      if (random.nextInt(8) == 0) {
        fixture.freeDetached();
      }
    }

    private void map(TableFixture fixture, long first, long last) {
      // Often congruent to larger pages, so that large and contiguous leaves occur.
      long phys = random.nextInt(3) == 0 ? physPage() : (first & ((1L << 24) - 1)) + (random.nextLong(1 << 20) << 24);
      long maxLeaf = random.nextInt(4) == 0 ? 1L << (12 + random.nextInt(20)) : RadixPageTable.ANY_LEAF;
      mapOne(fixture, first, last, phys, maxLeaf);
    }

    private void mapHuge(TableFixture fixture) {
      long gib = (format.pageSizes() & 1L << 21) != 0 ? 1L << 30 : 1L << 22;
      long first = (8L << 30) + random.nextInt(8) * gib + (random.nextInt(2) == 0 ? 0 : random.nextLong(gib >>> 21) << 21);
      long length = random.nextInt(3) == 0 ? gib : (1L + random.nextLong(gib >>> 24 | 1)) << 21;
      if (random.nextInt(3) > 0) {
        mapOne(fixture, first, first + length - 1, (first & (gib - 1)) + random.nextInt(64) * gib, RadixPageTable.ANY_LEAF);
      } else {
        detach(fixture, first, first + length - 1);
      }
    }

    /** Takes the short way as the next owner of the range would. */
    private boolean linkLeaf(TableFixture fixture, long first, long phys, long length, int access, long maxLeaf) {
      fixture.table.renew(fixture.cursor);
      return fixture.tryLink(first, phys, length, access, maxLeaf);
    }

    private void mapOne(TableFixture fixture, long first, long last, long phys, long maxLeaf) {
      int access = access();
      LeafCursor cursor = cursor(fixture);
      operation = "map " + range(first, last) + " to 0x" + Long.toHexString(phys);
      boolean free = oracle.isFree(first, last);
      boolean shortWay = cursor != null && random.nextBoolean() && linkLeaf(fixture, first, phys, last - first + 1, access, maxLeaf);
      int result =
          shortWay
              ? TableResult.OK
              : fixture.table.map(first, phys, last - first + 1, access, maxLeaf, cursor, fixture.detached);
      assertThat(result).isEqualTo(free ? TableResult.OK : TableResult.ALREADY_LINKED);
      if (free) {
        oracle.add(first, phys, last - first + 1, access, maxLeaf);
      }
      checkRange(fixture, first, last);
    }

    private void mapRun(TableFixture fixture, long first, long last) {
      int most = (int) Math.min(64, ((last - first) >>> 12) + 1);
      // Half of the runs are of single pages, the rest mixed.
      int count = random.nextBoolean() ? most : 1 + random.nextInt(most);
      long[] phys = new long[count];
      long[] length = new long[count];
      long left = last - first + 1;
      for (int i = 0; i < count; i++) {
        phys[i] = physPage();
        length[i] = i == count - 1 ? left : (1 + random.nextLong((left >>> 12) - (count - 1 - i))) * PAGE;
        left -= length[i];
      }
      int access = access();
      operation = "run of " + count + " at " + range(first, last);
      boolean free = oracle.isFree(first, last);
      int result =
          fixture.table.mapRun(
              first, phys, length, 0, count, access, RadixPageTable.ANY_LEAF, cursor(fixture), fixture.detached);
      assertThat(result).isEqualTo(free ? TableResult.OK : TableResult.ALREADY_LINKED);
      long at = first;
      for (int i = 0; free && i < count; i++) {
        oracle.add(at, phys[i], length[i], access, RadixPageTable.ANY_LEAF);
        at += length[i];
      }
      checkRange(fixture, first, last);
    }

    private void unlink(TableFixture fixture, long first, long last) {
      operation = "unlink " + range(first, last);
      int result = fixture.table.unlink(first, last, cursor(fixture));
      boolean splits = oracle.splits(first, last);
      boolean linked = oracle.isLinked(first, last);
      assertThat(fixture.table.isLinked(first, last)).isEqualTo(linked && !ok(result));
      assertThat(result)
          .isEqualTo(splits ? TableResult.NOT_SPLITTABLE : linked ? TableResult.OK : TableResult.NOT_LINKED);
      if (ok(result)) {
        oracle.remove(first, last);
      }
      checkRange(fixture, first, last);
    }

    private void clear(TableFixture fixture, long first, long last) {
      operation = "clear " + range(first, last);
      boolean splits = oracle.splits(first, last);
      assertThat(fixture.table.splits(first, last)).isEqualTo(splits);
      int result = fixture.table.clear(first, last, cursor(fixture));
      assertThat(result).isEqualTo(splits ? TableResult.NOT_SPLITTABLE : TableResult.OK);
      if (!splits) {
        oracle.remove(first, last);
      }
      checkRange(fixture, first, last);
    }

    private void detach(TableFixture fixture, long first, long last) {
      if (random.nextInt(3) == 0) {
        first &= -(1L << 21);
        last |= (1L << 21) - 1;
      }
      operation = "detach " + range(first, last);
      boolean splits = oracle.splits(first, last);
      int result = fixture.table.clearAndDetach(first, last, fixture.cursor, fixture.detached);
      assertThat(result).isEqualTo(splits ? TableResult.NOT_SPLITTABLE : TableResult.OK);
      if (!splits) {
        oracle.remove(first, last);
      }
      checkRange(fixture, first, last);
    }

    private void protect(TableFixture fixture, long first, long last) {
      int access = 1 + random.nextInt(3);
      operation = "protect " + range(first, last);
      int result = fixture.table.protect(first, last, access);
      boolean linked = oracle.isLinked(first, last);
      assertThat(result)
          .isEqualTo(
              !linked ? TableResult.NOT_LINKED
                  : oracle.splits(first, last) ? TableResult.NOT_SPLITTABLE : TableResult.OK);
      if (ok(result)) {
        oracle.protect(first, last, access);
      }
      checkRange(fixture, first, last);
    }

    /** Compares every granule of a range, and one on either side, or every leaf's ends where the range is huge. */
    private void checkRange(TableFixture fixture, long first, long last) {
      if (first != 0) {
        checkGranule(fixture, first - 1);
      }
      if (last != format.lastIova()) {
        checkGranule(fixture, last + 1);
      }
      if (last - first < 1L << 21) {
        for (long at = first; ; at += PAGE) {
          checkGranule(fixture, at + random.nextInt(PAGE));
          if (at + PAGE - 1 == last) {
            return;
          }
        }
      }
      List<LeafOracle.Leaf> leaves = oracle.touching(first, last);
      for (LeafOracle.Leaf leaf : leaves) {
        checkGranule(fixture, leaf.first());
        checkGranule(fixture, leaf.last());
      }
      for (int i = 0; i < 64; i++) {
        checkGranule(fixture, first + random.nextLong(last - first));
      }
    }

    private void checkGranule(TableFixture fixture, long iova) {
      LeafOracle.Leaf leaf = oracle.at(iova);
      boolean translates = fixture.hardware.translate(iova);
      if (translates != (leaf != null)) {
        throw new AssertionError("0x" + Long.toHexString(iova) + " translates: " + translates + ", oracle: " + leaf);
      }
      long phys = leaf == null ? TableMemory.NONE : leaf.phys() + (iova - leaf.first());
      if (fixture.table.lookup(iova) != phys) {
        throw new AssertionError("lookup of 0x" + Long.toHexString(iova) + ", oracle: " + leaf);
      }
      if (leaf != null
          && (fixture.hardware.phys != phys
              || fixture.hardware.leafLength != leaf.length()
              || fixture.hardware.access() != leaf.access())) {
        throw new AssertionError("hardware reads 0x" + Long.toHexString(iova) + " otherwise than " + leaf);
      }
    }

    private void checkAll(TableFixture fixture) {
      operation = "check of all leaves after " + operation;
      assertThat(fixture.leaves()).isEqualTo(oracle.size());
      var expected = oracle.all().iterator();
      fixture.table.forEachLeaf(
          0,
          -1L,
          (iova, phys, length, access) ->
              checkLeaf(new LeafOracle.Leaf(iova, iova + length - 1, phys, access), expected.next()));
      assertThat(expected.hasNext()).isFalse();
      assertThat((long) fixture.memory.inUse()).isEqualTo(fixture.table.tablePages() + fixture.detached.count());
    }

    private static void checkLeaf(LeafOracle.Leaf shown, LeafOracle.Leaf expected) {
      if (!shown.equals(expected)) {
        throw new AssertionError("showed " + shown + ", oracle: " + expected);
      }
    }

    /** Walks from the root or from the remembered table; the cursor is not told of what a call without it detached. */
    private LeafCursor cursor(TableFixture fixture) {
      return random.nextInt(3) == 0 ? null : fixture.cursor;
    }

    private long physPage() {
      return random.nextLong(1L << (format.outputBits() - 14)) * PAGE;
    }

    private int access() {
      int access = 1 + random.nextInt(3) + (random.nextInt(4) == 0 ? LeafAccess.COHERENT : 0);
      return format.effectiveAccess(access) == access ? access : access & 3;
    }

    private static boolean ok(int result) {
      return result == TableResult.OK;
    }

    private static String range(long first, long last) {
      return "[0x" + Long.toHexString(first) + ", 0x" + Long.toHexString(last) + "]";
    }
  }
}
