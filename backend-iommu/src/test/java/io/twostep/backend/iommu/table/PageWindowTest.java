package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class PageWindowTest {
  private static final int RW = LeafAccess.READ | LeafAccess.WRITE;
  private static final long FIRST = 3L << 30;
  private static final int PAGES = 4096;
  private static final int STEPS = Integer.getInteger("twostep.operations", 200_000);

  static Stream<TableFormat> formats() {
    return Formats.both();
  }

  @ParameterizedTest
  @MethodSource("formats")
  void everyPageTranslatesAsTheWindowAndTheTableSay(TableFormat format) {
    long seed = Long.getLong("twostep.seed", System.nanoTime());
    var random = new SplittableRandom(seed);
    Map<Long, Long> oracle = new HashMap<>();
    try (var fixture = new TableFixture(format)) {
      PageWindow window = fixture.table.pageWindow(FIRST, FIRST + PAGES * 4096L - 1);
      for (int step = 0; step < STEPS; step++) {
        long iova = FIRST + random.nextInt(PAGES) * 4096L;
        String at = "seed " + seed + ", step " + step;
        if (random.nextBoolean()) {
          long phys = random.nextLong(1L << 24) << 12;
          boolean walked = link(fixture, window, iova, phys) == TableResult.OK;
          assertThat(walked).as(at).isEqualTo(oracle.putIfAbsent(iova, phys) == null);
        } else {
          assertThat(window.tryUnlink(iova)).as(at).isEqualTo(oracle.remove(iova) != null);
        }
        long seen = oracle.getOrDefault(iova, TableMemory.NONE);
        assertThat(window.lookup(iova)).as(at).isEqualTo(seen);
        assertThat(fixture.hardware.translate(iova)).as(at).isEqualTo(seen != TableMemory.NONE);
        if (seen != TableMemory.NONE) {
          assertThat(fixture.hardware.phys).as(at).isEqualTo(seen);
        }
      }
      assertThat(fixture.leaves()).as("seed %d", seed).isEqualTo(oracle.size());
      fixture.table.clearAndDetach(FIRST, FIRST + PAGES * 4096L - 1, null, fixture.detached);
      fixture.freeDetached();
    }
  }

  /** As the terminal does: the short way if it is open, the long way otherwise. */
  private static int link(TableFixture fixture, PageWindow window, long iova, long phys) {
    return window.tryLink(iova, phys, 4096, RW)
        ? TableResult.OK
        : fixture.table.map(iova, phys, 4096, RW, 4096, null, fixture.detached);
  }

  @ParameterizedTest
  @MethodSource("formats")
  void whatIsNotOneReachablePageWithAPermissionTakesTheLongWay(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      PageWindow window = fixture.table.pageWindow(FIRST, FIRST + 0xffff);
      link(fixture, window, FIRST, 0x1000);
      assertThat(window.tryLink(FIRST + 0x1000, 0x2000, 4096, RW)).as("the table stands now").isTrue();
      assertThat(window.tryLink(FIRST + 0x2000, 0x2000, 8192, RW)).as("two pages").isFalse();
      assertThat(window.tryLink(FIRST + 0x2000, 0x2080, 4096, RW)).as("off the page").isFalse();
      assertThat(window.tryLink(FIRST + 0x2000, 0x2000, 4096, 0)).as("no permission").isFalse();
      assertThat(window.tryLink(FIRST + 0x2000, 1L << format.outputBits(), 4096, RW)).as("out of reach").isFalse();
      assertThat(window.tryLink(FIRST + 0x1000, 0x3000, 4096, RW)).as("taken").isFalse();
      assertThat(window.lookup(FIRST + 0x1008)).isEqualTo(0x2008);
    }
  }
}
