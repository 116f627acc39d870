package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is refused, and that a refusal leaves every translation as it was. */
class RefusalTest {
  private static final int RW = LeafAccess.READ | LeafAccess.WRITE;
  private static final long ANY = RadixPageTable.ANY_LEAF;

  static java.util.stream.Stream<TableFormat> formats() {
    return Formats.both();
  }

  @ParameterizedTest
  @MethodSource("formats")
  void linkRefusesRangeThatOverlapsAnEarlierLink(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(0x405000, 0x9000, 0x1000);
      // Within one leaf table, over several, and as one large leaf.
      assertThat(fixture.map(0x404000, 0x20000, 0x3000)).isEqualTo(TableResult.ALREADY_LINKED);
      assertThat(fixture.map(0x1ff000, 0x40000, 0x400000)).isEqualTo(TableResult.ALREADY_LINKED);
      assertThat(fixture.map(0x400000, 0x400000, 0x200000)).isEqualTo(TableResult.ALREADY_LINKED);
      assertThat(fixture.leaves()).isEqualTo(1);
      assertThat(fixture.table.lookup(0x405123)).isEqualTo(0x9123);
      fixture.map(0x800000, 0x400000, 0x200000);
      assertThat(fixture.map(0x8ff000, 0x9000, 0x1000)).isEqualTo(TableResult.ALREADY_LINKED);
      assertThat(fixture.table.prepare(0x800000, 0x800fff)).isEqualTo(TableResult.ALREADY_LINKED);
      assertThat(fixture.leaves()).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void runRefusesAsAWholeWhereverTheTakenSlotIs(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      long[] phys = {0x9000, 0x20000, 0x400000, 0x70000};
      long[] length = {0x1000, 0x2000, 0x400000, 0x1000};
      for (long taken : new long[] {0x5fd000, 0x5ff000, 0x600000, 0x9ff000, 0xa00000}) {
        fixture.map(taken, 0x1000, 0x1000);
        assertThat(run(fixture, 0x5fd000, phys, length)).isEqualTo(TableResult.ALREADY_LINKED);
        assertThat(fixture.leaves()).isEqualTo(1);
        fixture.table.clearAndDetach(taken, taken + 0xfff, fixture.cursor, fixture.detached);
      }
      assertThat(run(fixture, 0x5fd000, phys, length)).isEqualTo(TableResult.OK);
      assertThat(fixture.table.lookup(0xa00fff)).isEqualTo(0x70fff);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void edgesInsideALeafAreRefusedAndNothingIsCleared(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(0x1ff000, 0x1ff000, 0x201000);
      fixture.map(0x400000, 0x1000, 0x1000);
      assertThat(fixture.table.unlink(0x1ff000, 0x2fffff, null)).isEqualTo(TableResult.NOT_SPLITTABLE);
      assertThat(fixture.table.clear(0x300000, 0x400fff, null)).isEqualTo(TableResult.NOT_SPLITTABLE);
      assertThat(fixture.table.clear(0x300000, 0x300fff, null)).isEqualTo(TableResult.NOT_SPLITTABLE);
      assertThat(fixture.table.clearAndDetach(0, 0x3fefff, fixture.cursor, fixture.detached))
          .isEqualTo(TableResult.NOT_SPLITTABLE);
      assertThat(fixture.table.protect(0x200000, 0x2fffff, RW)).isEqualTo(TableResult.NOT_SPLITTABLE);
      assertThat(fixture.leaves()).isEqualTo(3);
      assertThat(fixture.table.unlink(0x1ff000, 0x400fff, null)).isEqualTo(TableResult.OK);
      assertThat(fixture.leaves()).isZero();
    }
  }

  @Test
  void edgesInsideAContiguousLeafAreRefused() {
    try (var fixture = new TableFixture(Formats.AMD)) {
      fixture.map(0x8000, 0x8000, 0x8000);
      assertThat(fixture.leaves()).isEqualTo(1);
      assertThat(fixture.table.unlink(0x8000, 0xbfff, fixture.cursor)).isEqualTo(TableResult.NOT_SPLITTABLE);
      assertThat(fixture.table.clear(0xc000, 0x10fff, fixture.cursor)).isEqualTo(TableResult.NOT_SPLITTABLE);
      assertThat(fixture.table.unlink(0x8000, 0xffff, fixture.cursor)).isEqualTo(TableResult.OK);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void unlinkRefusesHolesAndClearDoesNot(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(0x1000, 0x9000, 0x1000);
      fixture.map(0x3000, 0xb000, 0x1000);
      assertThat(fixture.table.unlink(0x1000, 0x3fff, fixture.cursor)).isEqualTo(TableResult.NOT_LINKED);
      assertThat(fixture.table.unlink(0x1000, 0x400fff, null)).isEqualTo(TableResult.NOT_LINKED);
      assertThat(fixture.table.unlink(0x7000000, 0x7000fff, null)).isEqualTo(TableResult.NOT_LINKED);
      assertThat(fixture.leaves()).isEqualTo(2);
      assertThat(fixture.table.clear(0x1000, 0x3fff, fixture.cursor)).isEqualTo(TableResult.OK);
      assertThat(fixture.leaves()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void addressesBeyondTheWidthsAreRefused(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      long last = format.lastIova();
      assertThat(fixture.map(last - 0xfff, 0x1000, 0x1000)).isEqualTo(TableResult.OK);
      assertThat(fixture.map(last - 0x1fff, 0x1000, 0x3000)).isEqualTo(TableResult.OUT_OF_BOUNDS);
      assertThat(fixture.map(0x1000, 0x1000, 0)).isEqualTo(TableResult.OUT_OF_BOUNDS);
      assertThat(fixture.map(0x1000, 0x1000, -0x1000L)).isIn(TableResult.OUT_OF_BOUNDS, TableResult.OUT_OF_REACH);
      assertThat(fixture.map(0x1000, (1L << 52) - 0x1000, 0x1000)).isEqualTo(TableResult.OK);
      assertThat(fixture.map(0x2000, (1L << 52) - 0x1000, 0x2000)).isEqualTo(TableResult.OUT_OF_REACH);
      assertThat(fixture.map(0x2000, 1L << 52, 0x1000)).isEqualTo(TableResult.OUT_OF_REACH);
      assertThat(fixture.map(0x2000, -0x1000L, 0x1000)).isEqualTo(TableResult.OUT_OF_REACH);
      assertThat(fixture.table.unlink(0x2000, 0x1fff, null)).isEqualTo(TableResult.OUT_OF_BOUNDS);
      assertThat(fixture.leaves()).isEqualTo(2);
      assertThat(fixture.table.unlink(last - 0xfff, last, null)).isEqualTo(TableResult.OK);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void runsOutsideTheWidthsAreRefused(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      long last = format.lastIova();
      long[] page = {0x1000, 0x1000};
      assertThat(run(fixture, last - 0xfff, new long[] {0, 0x1000}, page)).isEqualTo(TableResult.OUT_OF_BOUNDS);
      assertThat(run(fixture, 0x1000, new long[] {0, 1L << 52}, page)).isEqualTo(TableResult.OUT_OF_REACH);
      assertThat(run(fixture, 0x1000, new long[] {0, 0}, new long[] {0x1000, 0})).isEqualTo(TableResult.OUT_OF_BOUNDS);
      assertThat(run(fixture, 0x1000, new long[] {0, 0}, new long[] {0x1000, -0x1000}))
          .isEqualTo(TableResult.OUT_OF_BOUNDS);
      assertThat(run(fixture, 0, new long[0], new long[0])).isEqualTo(TableResult.OUT_OF_BOUNDS);
      assertThat(run(fixture, last - 0x1fff, new long[] {0x5000, 0x9000}, page)).isEqualTo(TableResult.OK);
      assertThat(fixture.leaves()).isEqualTo(2);
      assertThat(fixture.table.lookup(last)).isEqualTo(0x9fff);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void aLeafNeedsReadOrWrite(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      int coherentOnly = LeafAccess.COHERENT;
      assertThat(fixture.table.map(0, 0, 4096, coherentOnly, ANY, null, fixture.detached))
          .isEqualTo(TableResult.NO_ACCESS);
      long[] two = {4096, 4096};
      assertThat(fixture.table.mapRun(0, two, two, 0, 2, 0, ANY, null, fixture.detached))
          .isEqualTo(TableResult.NO_ACCESS);
      fixture.map(0, 0, 4096);
      assertThat(fixture.table.protect(0, 4095, coherentOnly)).isEqualTo(TableResult.NO_ACCESS);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void addressesMustAgreeBelowTheGranule(TableFormat format) {
    try (var fixture = new TableFixture(format, 0x4000)) {
      assertThat(fixture.map(0x10000, 0x21000, 0x1000)).isEqualTo(TableResult.MISALIGNED);
      assertThat(run(fixture, 0x11000, new long[] {0x21000, 0x30000}, new long[] {0x2000, 0x4000}))
          .isEqualTo(TableResult.MISALIGNED);
      assertThat(run(fixture, 0x11000, new long[] {0x21000, 0x33000}, new long[] {0x2000, 0x4000}))
          .as("congruent, but two ranges would share a granule")
          .isEqualTo(TableResult.MISALIGNED);
      assertThat(fixture.leaves()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void headAndTailAreRoundedOutToTheGranule(TableFormat format) {
    try (var fixture = new TableFixture(format, 0x4000)) {
      assertThat(run(fixture, 0x11234, new long[] {0x85234, 0x30000}, new long[] {0x2dcc, 0x4001}))
          .isEqualTo(TableResult.OK);
      assertThat(fixture.table.lookup(0x10000)).isEqualTo(0x84000);
      assertThat(fixture.table.lookup(0x14000)).isEqualTo(0x30000);
      assertThat(fixture.table.lookup(0x1bfff)).isEqualTo(0x37fff);
      assertThat(fixture.table.lookup(0xffff)).isEqualTo(TableMemory.NONE);
      assertThat(fixture.table.lookup(0x1c000)).isEqualTo(TableMemory.NONE);
      assertThat(fixture.table.unlink(0x11234, 0x18000, fixture.cursor)).isEqualTo(TableResult.OK);
      assertThat(fixture.leaves()).isZero();
    }
  }

  @Test
  void formatsRefuseWhatHardwareDoesNotHave() {
    assertThatThrownBy(() -> VtdSecondStage.format(6, 52, 1 << 12, true, true, false)).hasMessageContaining("levels");
    assertThatThrownBy(() -> VtdSecondStage.format(4, 52, 1 << 21, true, true, false)).hasMessageContaining("4 KiB");
    assertThatThrownBy(() -> VtdSecondStage.format(4, 52, 3 << 12, true, true, false)).hasMessageContaining("0x3000");
    assertThatThrownBy(() -> VtdSecondStage.format(4, 53, 1 << 12, true, true, false)).hasMessageContaining("53");
    assertThatThrownBy(() -> AmdV1.format(64, 52, AmdV1.ALL_PAGE_SIZES | 1L << 39, true)).hasMessageContaining("AMDv1");
    assertThatThrownBy(() -> AmdV1.format(65, 52, AmdV1.ALL_PAGE_SIZES, true)).hasMessageContaining("65");
    assertThatThrownBy(() -> new TableFixture(Formats.VTD, 2048)).hasMessageContaining("0x800");
    assertThatThrownBy(() -> TableResult.describe(99)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void everyResultHasItsOwnWords() {
    assertThat(java.util.stream.IntStream.rangeClosed(0, 8).mapToObj(TableResult::describe).distinct()).hasSize(9);
  }

  private static int run(TableFixture fixture, long iova, long[] phys, long[] length) {
    return fixture.table.mapRun(
        iova, phys, length, 0, phys.length, RW, ANY, fixture.cursor, fixture.detached);
  }
}
