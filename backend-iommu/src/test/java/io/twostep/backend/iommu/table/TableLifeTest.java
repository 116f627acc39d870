package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** When tables come, stay, and go. */
class TableLifeTest {
  private static final int RW = LeafAccess.READ | LeafAccess.WRITE;
  private static final long TABLE = 1L << 21;
  private static final long GIB = 1L << 30;

  static java.util.stream.Stream<TableFormat> formats() {
    return Formats.both();
  }

  @ParameterizedTest
  @MethodSource("formats")
  void unlinkAndClearKeepTablesAndClearAndDetachHandsOverWholeOnes(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(TABLE, 0x1000, 3 * TABLE);
      long pages = fixture.table.tablePages();
      fixture.table.unlink(TABLE, 2 * TABLE - 1, null);
      fixture.table.clear(0, 8 * TABLE - 1, null);
      assertThat(fixture.table.tablePages()).isEqualTo(pages);
      fixture.table.clearAndDetach(TABLE + 0x1000, 4 * TABLE - 1, fixture.cursor, fixture.detached);
      assertThat(fixture.detached.count()).as("only tables whose whole span was cleared").isEqualTo(2);
      assertThat(fixture.table.tablePages()).isEqualTo(pages - 2);
      assertThat((long) fixture.memory.inUse()).as("nothing is freed before the invalidation").isEqualTo(pages);
      fixture.freeDetached();
      assertThat((long) fixture.memory.inUse()).isEqualTo(pages - 2);
    }
  }

  /** The page of the detached table serves another range at once, whose first leaf a stale cursor would find in its own slot. */
  @ParameterizedTest
  @MethodSource("formats")
  void aRememberedTableIsForgottenOnceAnotherOwnerDetachedIt(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      var other = new LeafCursor();
      fixture.map(TABLE, 0x1000, 0x1000);
      fixture.table.clearAndDetach(TABLE, TABLE + 0xfff, fixture.cursor, fixture.detached);
      assertThat(fixture.detached.count()).as("the table is shared and stays").isZero();

      fixture.table.clearAndDetach(TABLE, 2 * TABLE - 1, other, fixture.detached);
      assertThat(fixture.detached.count()).isEqualTo(1);
      fixture.freeDetached();
      assertThat(fixture.table.map(9 * TABLE, 0x2000, 0x1000, RW, RadixPageTable.ANY_LEAF, other, fixture.detached))
          .isEqualTo(TableResult.OK);

      assertThat(fixture.map(TABLE, 0x3000, 0x1000)).isEqualTo(TableResult.OK);
      assertThat(fixture.table.unlink(TABLE, TABLE + 0xfff, fixture.cursor)).isEqualTo(TableResult.OK);
      assertThat(fixture.map(TABLE, 0x4000, 0x1000)).isEqualTo(TableResult.OK);
      assertThat(fixture.hardware.translate(TABLE)).isTrue();
      assertThat(fixture.hardware.phys).isEqualTo(0x4000);
      assertThat(fixture.hardware.translate(9 * TABLE)).isTrue();
      assertThat(fixture.hardware.phys).isEqualTo(0x2000);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void tableLeftBehindGivesWayToALargeLeafAndWaitsForTheInvalidation(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(TABLE, 0x1000, 0x1000);
      fixture.table.unlink(TABLE, TABLE + 0xfff, fixture.cursor);
      long pages = fixture.table.tablePages();
      assertThat(fixture.map(TABLE, 5 * TABLE, TABLE)).isEqualTo(TableResult.OK);
      assertThat(fixture.detached.count()).isEqualTo(1);
      assertThat(fixture.table.tablePages()).isEqualTo(pages - 1);
      assertThat((long) fixture.memory.inUse()).isEqualTo(pages);
      assertThat(fixture.leaves()).isEqualTo(1);
      fixture.table.unlink(TABLE, 2 * TABLE - 1, fixture.cursor);
      fixture.freeDetached();
      // The cursor must not lead back to the table that was freed.
      assertThat(fixture.map(TABLE, 0x9000, 0x1000)).isEqualTo(TableResult.OK);
      assertThat(fixture.hardware.translate(TABLE)).isTrue();
      assertThat(fixture.hardware.phys).isEqualTo(0x9000);
    }
  }

  /** The short way does not ask whether tables went: within one reservation only its own large leaves take any, and they move the cursor. */
  @ParameterizedTest
  @MethodSource("formats")
  void shortWayIsClosedAfterALargeLeafTookTheRememberedTable(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(TABLE, 0x1000, 0x1000);
      fixture.table.unlink(TABLE, TABLE + 0xfff, fixture.cursor);
      assertThat(fixture.map(TABLE, 5 * TABLE, TABLE)).isEqualTo(TableResult.OK);
      fixture.table.unlink(TABLE, 2 * TABLE - 1, fixture.cursor);
      fixture.freeDetached();
      assertThat(shortWay(fixture, TABLE + 0x1000, 0x9000, 0x1000)).isFalse();
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void shortWayIsClosedToTheNextOwnerWhoseTableWentAndOpenWhereItStands(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(TABLE, 0x1000, 0x1000);
      fixture.table.renew(fixture.cursor);
      assertThat(shortWay(fixture, TABLE + 0x1000, 0x2000, 0x1000)).as("it stands").isTrue();
      fixture.table.clearAndDetach(TABLE, 2 * TABLE - 1, new LeafCursor(), fixture.detached);
      fixture.table.renew(fixture.cursor);
      assertThat(shortWay(fixture, TABLE + 0x2000, 0x3000, 0x1000)).as("it went").isFalse();
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void shortWayPutsLargeLeavesBesideTheLastAndNothingElse(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(TABLE, 8 * TABLE, TABLE);
      assertThat(shortWay(fixture, 2 * TABLE, 5 * TABLE, TABLE)).isTrue();
      assertThat(shortWay(fixture, 2 * TABLE, 6 * TABLE, TABLE)).as("the slot is taken").isFalse();
      assertThat(shortWay(fixture, 3 * TABLE, 5 * TABLE + 0x1000, TABLE)).as("no large page begins there").isFalse();
      assertThat(shortWay(fixture, 3 * TABLE + 0x1000, 6 * TABLE, TABLE)).as("nor there").isFalse();
      assertThat(shortWay(fixture, 3 * TABLE, 1L << format.outputBits(), TABLE)).as("beyond the width").isFalse();
      assertThat(shortWay(fixture, (1L << 30) + TABLE, 6 * TABLE, TABLE)).as("in another table").isFalse();
      assertThat(fixture.tryLink(3 * TABLE, 6 * TABLE, TABLE, RW, TABLE / 2)).as("larger than allowed").isFalse();
      assertThat(fixture.tryLink(3 * TABLE, 6 * TABLE, TABLE, 0, RadixPageTable.ANY_LEAF)).as("no permission").isFalse();
      assertThat(fixture.leaves()).isEqualTo(2);
      assertThat(fixture.hardware.translate(3 * TABLE - 1)).isTrue();
      assertThat(fixture.hardware.phys).isEqualTo(6 * TABLE - 1);
    }
  }

  /** As for pages: no link asks whether tables went, so the leaf that took the remembered one must have moved the cursor. */
  @ParameterizedTest
  @MethodSource("formats")
  void shortWayForLargeLeavesIsClosedAfterALargerOneTookTheRememberedTable(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(GIB, 8 * TABLE, TABLE);
      assertThat(shortWay(fixture, GIB + TABLE, 9 * TABLE, TABLE)).isTrue();
      fixture.table.unlink(GIB, GIB + 2 * TABLE - 1, fixture.cursor);
      assertThat(fixture.map(GIB, 4 * GIB, GIB)).isEqualTo(TableResult.OK);
      assertThat(fixture.detached.count()).isEqualTo(1);
      assertThat(shortWay(fixture, GIB + 2 * TABLE, 9 * TABLE, TABLE)).as("below a leaf").isFalse();
      fixture.table.unlink(GIB, 2 * GIB - 1, fixture.cursor);
      fixture.freeDetached();
      assertThat(shortWay(fixture, GIB + 3 * TABLE, 9 * TABLE, TABLE)).as("in the table that was freed").isFalse();
      assertThat(fixture.map(GIB + 3 * TABLE, 9 * TABLE, TABLE)).isEqualTo(TableResult.OK);
      assertThat(shortWay(fixture, GIB + 4 * TABLE, 10 * TABLE, TABLE)).as("in the new one").isTrue();
      assertThat(fixture.hardware.translate(GIB + 4 * TABLE)).isTrue();
    }
  }

  /** A run whose first leaf takes the remembered table and whose others lie in another. */
  @ParameterizedTest
  @MethodSource("formats")
  void shortWayFollowsTheLastLeafOfARunOfSeveralSizes(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(GIB, 8 * TABLE, TABLE);
      fixture.table.unlink(GIB, GIB + TABLE - 1, fixture.cursor);
      assertThat(fixture.map(GIB, 4 * GIB, GIB + TABLE)).isEqualTo(TableResult.OK);
      assertThat(fixture.detached.count()).isEqualTo(1);
      assertThat(shortWay(fixture, 2 * GIB + TABLE, 9 * TABLE, TABLE)).as("beside the last").isTrue();
      fixture.table.unlink(GIB, 2 * GIB - 1, null);
      fixture.freeDetached();
      assertThat(shortWay(fixture, GIB, 9 * TABLE, TABLE)).as("in the table that was freed").isFalse();
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void shortWayForLargeLeavesIsClosedToTheNextOwnerWhoseTableWentAndOpenWhereItStands(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(GIB, 8 * TABLE, TABLE);
      fixture.table.renew(fixture.cursor);
      assertThat(shortWay(fixture, GIB + TABLE, 9 * TABLE, TABLE)).as("it stands").isTrue();
      fixture.table.clearAndDetach(GIB, 2 * GIB - 1, new LeafCursor(), fixture.detached);
      fixture.table.renew(fixture.cursor);
      assertThat(shortWay(fixture, GIB + 2 * TABLE, 9 * TABLE, TABLE)).as("it went").isFalse();
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void shortWayGoesByThePermissionThatTheLinkHas(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      LeafLinker leaves = fixture.table.leaves();
      fixture.map(TABLE, 8 * TABLE, TABLE);
      fixture.cursor.permit(RW, leaves.attributes(RW), true);
      assertThat(leaves.tryLink(2 * TABLE, 9 * TABLE, TABLE, LeafAccess.READ, fixture.cursor)).as("another").isFalse();
      fixture.cursor.permit(RW, leaves.attributes(RW), false);
      assertThat(fixture.cursor.permits(RW, true)).isFalse();
      assertThat(leaves.tryLink(2 * TABLE, 9 * TABLE, TABLE, RW, fixture.cursor)).as("pages only").isFalse();
      fixture.cursor.permit(LeafAccess.READ, leaves.attributes(LeafAccess.READ), true);
      assertThat(fixture.cursor.permits(LeafAccess.READ, false)).isFalse();
      assertThat(leaves.tryLink(2 * TABLE, 9 * TABLE, TABLE, LeafAccess.READ, fixture.cursor)).isTrue();
      assertThat(fixture.hardware.translate(2 * TABLE)).isTrue();
      assertThat(fixture.hardware.access() & RW).isEqualTo(LeafAccess.READ);
    }
  }

  private static boolean shortWay(TableFixture fixture, long iova, long phys, long length) {
    return fixture.tryLink(iova, phys, length, RW, RadixPageTable.ANY_LEAF);
  }

  @ParameterizedTest
  @MethodSource("formats")
  void endOfAReservationForgetsTheRememberedTable(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      fixture.map(TABLE, 0x1000, 0x1000);
      fixture.table.clearAndDetach(TABLE, 2 * TABLE - 1, fixture.cursor, fixture.detached);
      fixture.freeDetached();
      assertThat(fixture.map(TABLE, 0x9000, 0x1000)).isEqualTo(TableResult.OK);
      assertThat(fixture.hardware.translate(TABLE)).as("hardware finds what was linked").isTrue();
    }
  }

  @Test
  void subtreeLeftBehindIsDetachedWithAllItsTables() {
    try (var fixture = new TableFixture(Formats.VTD)) {
      long gib = 1L << 30;
      fixture.table.prepare(gib, 2 * gib - 1);
      long pages = fixture.table.tablePages();
      assertThat(fixture.map(gib, 4 * gib, gib)).isEqualTo(TableResult.OK);
      assertThat(fixture.hardware.translate(gib + 5)).isTrue();
      assertThat(fixture.hardware.leafLength).isEqualTo(gib);
      assertThat(fixture.detached.count()).isEqualTo(513);
      assertThat(fixture.table.tablePages()).isEqualTo(pages - 513);
    }
  }

  @Test
  void rootThatGrewOverAnEmptyTableGivesItUpToALeafOfItsSpan() {
    try (var fixture = new TableFixture(Formats.AMD)) {
      assertThat(fixture.map(0, 0, 1L << 48)).isEqualTo(TableResult.OK);
      assertThat(fixture.leaves()).isEqualTo(1);
      assertThat(fixture.hardware.translate((1L << 48) - 1)).isTrue();
      assertThat(fixture.hardware.phys).isEqualTo((1L << 48) - 1);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void preparedRangeNeedsNoMoreTableMemory(TableFormat format) {
    try (var fixture = new TableFixture(format)) {
      long iova = (1L << 30) - 3 * TABLE - 0x5000;
      long pages = 5 * 512;
      assertThat(fixture.table.prepare(iova, iova + pages * 4096 - 1)).isEqualTo(TableResult.OK);
      long before = fixture.memory.allocations();
      for (long i = 0; i < pages; i++) {
        assertThat(fixture.map(iova + i * 4096, (1 + 2 * i) * 4096, 4096)).isEqualTo(TableResult.OK);
      }
      fixture.table.unlink(iova, iova + pages * 4096 - 1, null);
      int result =
          fixture.table.map(
              iova, iova, pages * 4096, RW, RadixPageTable.LEAF_TABLE_LEAF, fixture.cursor, fixture.detached);
      assertThat(result).isEqualTo(TableResult.OK);
      assertThat(fixture.memory.allocations()).isEqualTo(before);
      assertThat(fixture.detached.isEmpty()).isTrue();
    }
  }

  @Test
  void rootGrowsByPublishingToHardwareFirstAndKeepsWhatWasLinked() {
    try (var arena = Arena.ofConfined()) {
      var memory = new FakeTableMemory(arena, 0x10000, 64);
      RadixPageTable[] self = new RadixPageTable[1];
      long[] published = new long[2];
      self[0] =
          new RadixPageTable(
              Formats.AMD,
              memory,
              4096,
              (root, levels) -> {
                assertThat(self[0].rootPhys()).as("software still walks from the old root").isNotEqualTo(root);
                published[0] = root;
                published[1] = levels;
                assertThat(memory.word(root) & 1).as("the new root already leads to the old one").isEqualTo(1);
              });
      RadixPageTable table = self[0];
      var detached = new TablePages();
      assertThat(table.levels()).isEqualTo(3);
      table.map(0x5000, 0x6000, 0x1000, RW, RadixPageTable.ANY_LEAF, null, detached);
      assertThat(table.lookup(1L << 39)).isEqualTo(TableMemory.NONE);
      assertThat(table.isLinked(1L << 39, (1L << 39) + 4095)).isFalse();
      assertThat(table.unlink(1L << 39, (1L << 39) + 4095, null)).isEqualTo(TableResult.NOT_LINKED);
      for (int bits : new int[] {39, 48, 57, 63}) {
        long iova = 1L << bits;
        assertThat(table.map(iova, 0x7000, 0x1000, RW, RadixPageTable.ANY_LEAF, null, detached))
            .isEqualTo(TableResult.OK);
        assertThat(published).containsExactly(table.rootPhys(), table.levels());
        assertThat(table.lookup(iova)).isEqualTo(0x7000);
        assertThat(table.lookup(0x5abc)).isEqualTo(0x6abc);
      }
      assertThat(table.levels()).isEqualTo(6);
      assertThat(table.destroy()).as("leaves still linked").isEqualTo(5);
      assertThat(memory.inUse()).isZero();
    }
  }

  @Test
  void fixedRootsNeverGrow() {
    assertThatThrownBy(() -> RootPublisher.FIXED.publish(0, 4)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void linksOfTheChainOfDetachedPagesAreNotPresentEntries() {
    try (var arena = Arena.ofConfined()) {
      var memory = new FakeTableMemory(arena, 0x10000, 64);
      var chain = new TablePages();
      long[] pages = new long[6];
      for (int i = 0; i < 6; i++) {
        pages[i] = memory.allocatePage();
        chain.add(memory.segment(), memory.base(), pages[i]);
      }
      assertThat(chain.count()).isEqualTo(6);
      for (long page : pages) {
        assertThat(memory.word(page) & 3).as("present in neither format").isZero();
      }
      long taken = chain.takeChain();
      assertThat(chain.isEmpty()).isTrue();
      chain.putBack(memory, taken);
      assertThat(chain.count()).as("as many as were handed out").isEqualTo(6);
      TablePages.freeChain(memory, chain.takeChain());
      TablePages.freeChain(memory, chain.takeChain());
      assertThat(memory.inUse()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void bytesOfTablesPerPageAreNotAboveTheReference(TableFormat format) {
    long[][] pagesAndTenthsOfBytes = {{256, 640}, {4096, 110}, {1 << 18, 82}};
    for (long[] each : pagesAndTenthsOfBytes) {
      try (var fixture = new TableFixture(format)) {
        long iova = 1L << 30;
        fixture.table.map(iova, 0x1000, each[0] * 4096, RW, 4096, fixture.cursor, fixture.detached);
        long bytes = fixture.table.tablePages() * 4096;
        assertThat(bytes * 10 / each[0]).isLessThanOrEqualTo(each[1]);
      }
    }
  }
}
