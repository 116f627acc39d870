package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every single allocation of a table page fails once: nothing is translated, nothing leaks, the next try succeeds. */
class TableMemoryFailureTest {
  private static final int RW = LeafAccess.READ | LeafAccess.WRITE;

  static java.util.stream.Stream<TableFormat> formats() {
    return Formats.both();
  }

  private interface Call {
    int on(TableFixture fixture);
  }

  @ParameterizedTest
  @MethodSource("formats")
  void mapOverManyTables(TableFormat format) {
    sweep(format, 0x7fe01000L, 0x7fe01000L + 0x80600000L, f -> f.map(0x7fe01000L, 0x7fe01000L, 0x80600000L), 4);
  }

  @ParameterizedTest
  @MethodSource("formats")
  void mapThatGrowsTheRoot(TableFormat format) {
    long iova = format.lastIova() - 0x3fffff;
    sweep(format, iova, iova + 0x400000, f -> f.map(iova, 0x9000, 0x400000), 3);
  }

  @ParameterizedTest
  @MethodSource("formats")
  void runOverManyTables(TableFormat format) {
    long[] phys = {0x9000, 0x555000, 0x4000_0000L, 0x33000};
    long[] length = {0x300000, 0x1000, 0x4000_0000L, 0x1000};
    long iova = 0x4000_0000L - 0x301000;
    sweep(
        format,
        iova,
        iova + 0x4030_2000L,
        f -> f.table.mapRun(iova, phys, length, 0, 4, RW, RadixPageTable.ANY_LEAF, f.cursor, f.detached),
        3);
  }

  @ParameterizedTest
  @MethodSource("formats")
  void preparation(TableFormat format) {
    sweep(format, 0x3fe00000, 0x40600000, f -> f.table.prepare(0x3fe00000, 0x40600000 - 1), 4);
  }

  @Test
  void rootItself() {
    try (var arena = Arena.ofConfined()) {
      var memory = new FakeTableMemory(arena, 0, 4);
      memory.failNth(1);
      assertThatThrownBy(() -> new RadixPageTable(Formats.VTD, memory, 4096, RootPublisher.FIXED))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("VT-d");
      assertThat(memory.inUse()).isZero();
    }
  }

  private static void sweep(TableFormat format, long iova, long end, Call call, int least) {
    int failures = 0;
    for (int n = 1; ; n++) {
      try (var fixture = new TableFixture(format)) {
        fixture.map(0x1000, 0x2000, 0x1000);
        fixture.memory.failNth(n);
        int result = call.on(fixture);
        if (result == TableResult.OK) {
          assertThat(failures).as("allocations that could fail").isGreaterThanOrEqualTo(least);
          assertThat(fixture.table.clearAndDetach(iova, end - 1, fixture.cursor, fixture.detached))
              .isEqualTo(TableResult.OK);
          return;
        }
        failures++;
        assertThat(result).isEqualTo(TableResult.TABLE_MEMORY);
        assertThat(fixture.leaves()).isEqualTo(1);
        assertThat(fixture.table.lookup(0x1000)).isEqualTo(0x2000);
        assertThat((long) fixture.memory.inUse()).isEqualTo(fixture.table.tablePages());
        fixture.memory.failNth(0);
        assertThat(call.on(fixture)).isEqualTo(TableResult.OK);
        assertThat(fixture.table.clearAndDetach(iova, end - 1, fixture.cursor, fixture.detached))
            .isEqualTo(TableResult.OK);
      }
    }
  }
}
