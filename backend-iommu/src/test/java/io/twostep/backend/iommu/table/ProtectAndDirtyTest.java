package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Bits that change while a range stays linked: permissions by software, dirty bits by hardware. */
class ProtectAndDirtyTest {
  private static final long VTD_DIRTY = 1 << 9;
  private static final long AMD_DIRTY = 1 << 6;

  static java.util.stream.Stream<TableFormat> formats() {
    return Formats.both();
  }

  @ParameterizedTest
  @MethodSource("formats")
  void protectChangesReadAndWriteAndNothingElse(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      int all = LeafAccess.READ | LeafAccess.WRITE | LeafAccess.COHERENT;
      fixture.table.map(0x1ff000, 0x3ff000, 0x202000, all, RadixPageTable.ANY_LEAF, null, fixture.detached);
      write(fixture, 0x1ff000);
      assertThat(fixture.table.protect(0x1ff000, 0x3fffff, LeafAccess.READ)).isEqualTo(TableResult.OK);
      assertThat(access(fixture, 0x1ff000)).isEqualTo(LeafAccess.READ | LeafAccess.COHERENT);
      assertThat(access(fixture, 0x2abcde)).isEqualTo(LeafAccess.READ | LeafAccess.COHERENT);
      assertThat(access(fixture, 0x400000)).isEqualTo(all);
      assertThat(dirty(fixture, 0, -1L)).as("what hardware noted survives").containsExactly(0x1ff000L);
      assertThat(fixture.table.protect(0x1ff000, 0x1fffff, LeafAccess.WRITE)).isEqualTo(TableResult.OK);
      assertThat(access(fixture, 0x1ff000)).isEqualTo(LeafAccess.WRITE | LeafAccess.COHERENT);
      assertThat(fixture.table.protect(0x1fe000, 0x1fffff, LeafAccess.READ)).isEqualTo(TableResult.NOT_LINKED);
      assertThat(access(fixture, 0x1ff000)).isEqualTo(LeafAccess.WRITE | LeafAccess.COHERENT);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void dirtyLeavesAreReadAndClearedOnce(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(0x1000, 0x7000, 0x1000);
      fixture.map(0x1ff000, 0x3ff000, 0x202000);
      assertThat(dirty(fixture, 0, -1L)).isEmpty();
      write(fixture, 0x1000);
      write(fixture, 0x200000);
      assertThat(dirty(fixture, 0, -1L)).containsExactly(0x1000L, 0x200000L);
      assertThat(dirty(fixture, 0x2000, 0x1fffff)).isEmpty();
      List<Long> taken = new ArrayList<>();
      long bytes = fixture.table.readAndClearDirty(0x1000, 0x200fff, (iova, length) -> taken.add(iova + length));
      assertThat(taken).as("a leaf is reported whole").containsExactly(0x2000L, 0x400000L);
      assertThat(bytes).isEqualTo(0x201000);
      assertThat(fixture.table.readAndClearDirty(0, -1L, (iova, length) -> taken.add(iova))).isZero();
      assertThat(fixture.table.lookup(0x2abcde)).isEqualTo(0x4abcdeL);
      assertThat(taken).hasSize(2);
    }
  }

  @Test
  void anyWordOfAContiguousLeafMakesItDirtyAndAllAreCleaned() {
    try (var fixture = new TableFixture(Formats.AMD)) {
      fixture.map(0x8000, 0x8000, 0x8000);
      write(fixture, 0x9000);
      write(fixture, 0xe000);
      List<Long> lengths = new ArrayList<>();
      fixture.table.readAndClearDirty(0xb000, 0xbfff, (iova, length) -> lengths.add(iova ^ length));
      assertThat(lengths).containsExactly(0x8000L ^ 0x8000L);
      for (long iova = 0x8000; iova < 0x10000; iova += 0x1000) {
        assertThat(fixture.leafWord(iova) & AMD_DIRTY).isZero();
      }
    }
  }

  /** Large leaves are taken out by runs, between which pages and holes lie. */
  @ParameterizedTest
  @MethodSource("formats")
  void dirtyLeavesOfRunsAreShownWhereTheyAreWhenCleared(TableFormat format) {
    for (boolean detach : new boolean[] {false, true}) {
      try (var fixture = new TableFixture(format)) {
        long table = 1L << 21;
        // Separate ranges, lest leaves be larger.
        for (long slot : new long[] {1, 2, 3, 5, 8, 9}) {
          fixture.map(slot * table, (20 + 2 * slot) * table, table);
        }
        fixture.map(6 * table + 0x3000, 0x9000, 0x1000);
        for (long slot : new long[] {2, 3, 8, 9}) {
          write(fixture, slot * table + 0x1000);
        }
        write(fixture, 6 * table + 0x3000);
        List<Long> harvested = new ArrayList<>();
        fixture.table.harvestInto((iova, length) -> harvested.add(iova ^ length));
        int result =
            detach
                ? fixture.table.clearAndDetach(table, 10 * table - 1, fixture.cursor, fixture.detached)
                : fixture.table.clear(table, 10 * table - 1, fixture.cursor);
        assertThat(result).isEqualTo(TableResult.OK);
        assertThat(harvested)
            .containsExactly(2 * table ^ table, 3 * table ^ table, 6 * table + 0x3000 ^ 0x1000, 8 * table ^ table, 9 * table ^ table);
        assertThat(fixture.leaves()).isZero();
        assertThat(fixture.detached.count()).isEqualTo(detach ? 1 : 0);
      }
    }
  }

  /** What a run of large leaves is cleared beside belongs to others. */
  @ParameterizedTest
  @MethodSource("formats")
  void clearingARunOfLargeLeavesLeavesItsNeighbours(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      long table = 1L << 21;
      fixture.map(table, 30 * table, table);
      fixture.map(2 * table, 40 * table, table);
      fixture.map(3 * table, 50 * table, table);
      fixture.map(4 * table, 0x9000, 0x1000);
      fixture.map(5 * table, 60 * table, table);
      fixture.map(6 * table + 0x1000, 0x9000, 0x1000);
      fixture.map(7 * table, 70 * table, table);
      assertThat(fixture.table.unlink(2 * table, 4 * table - 1, fixture.cursor)).isEqualTo(TableResult.OK);
      assertThat(fixture.leaves()).isEqualTo(5);
      assertThat(fixture.table.clear(5 * table, 6 * table + 0xfff, fixture.cursor)).isEqualTo(TableResult.OK);
      assertThat(fixture.leaves()).isEqualTo(4);
      for (long kept : new long[] {table, 4 * table, 6 * table + 0x1000, 7 * table}) {
        assertThat(fixture.hardware.translate(kept)).isTrue();
      }
    }
  }

  @Test
  void nothingIsDirtyWhereHardwareDoesNotTrack() {
    try (var fixture =
        new TableFixture(VtdSecondStage.format(4, 52, VtdSecondStage.ALL_PAGE_SIZES, true, false, false))) {
      fixture.map(0x1000, 0x7000, 0x1000);
      write(fixture, 0x1000);
      assertThat(dirty(fixture, 0, -1L)).isEmpty();
    }
  }

  /** Does what hardware does when a device writes. */
  private static void write(TableFixture fixture, long iova) {
    long at = fixture.hardware.leafWordAt(iova);
    long dirty = fixture.table.format().name().equals("AMDv1") ? AMD_DIRTY : VTD_DIRTY;
    fixture.memory.setWord(at, fixture.memory.word(at) | dirty);
  }

  private static int access(TableFixture fixture, long iova) {
    assertThat(fixture.hardware.translate(iova)).isTrue();
    return fixture.hardware.access();
  }

  private static List<Long> dirty(TableFixture fixture, long first, long last) {
    List<Long> found = new ArrayList<>();
    fixture.table.readDirty(first, last, (iova, length) -> found.add(iova));
    return found;
  }
}
