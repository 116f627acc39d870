package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.tck.Allocation;
import org.junit.jupiter.api.Test;

/** The calls of the data path leave nothing for the garbage collector, whatever formats the process has seen. */
class ZeroAllocationTest {
  private static final int RW = LeafAccess.READ | LeafAccess.WRITE;
  private static final int PAGES = 64;
  private static final long IOVA = (1L << 30) - 0x10000;
  private static final long LAST = IOVA + PAGES * 0x1000 - 1;
  private final long[] phys = new long[PAGES];
  private final long[] length = new long[PAGES];
  private int result;
  private long dirtyBytes;

  @Test
  void mapUnlinkLookupProtectAndDirtyAllocateNothing() {
    for (int i = 0; i < PAGES; i++) {
      phys[i] = 0x1000L * (3 * i + 1);
      length[i] = 0x1000;
    }
    try (var vtd = new TableFixture(Formats.VTD);
        var amd = new TableFixture(Formats.AMD)) {
      long least =
          Allocation.leastBytesOf(
              () -> {
                useAll(vtd, vtd.cursor);
                useAll(amd, amd.cursor);
                useAll(vtd, null);
                useAll(amd, null);
              });
      assertThat(least).isZero();
      assertThat(result).as("every call succeeded").isZero();
      assertThat(dirtyBytes).isZero();
    }
  }

  private void useAll(TableFixture fixture, LeafCursor cursor) {
    RadixPageTable table = fixture.table;
    result |= table.mapRun(IOVA, phys, length, 0, PAGES, RW, 4096, cursor, fixture.detached);
    result |= table.protect(IOVA, LAST, LeafAccess.READ);
    dirtyBytes += table.readAndClearDirty(IOVA, LAST, ZeroAllocationTest::ignore);
    result |= table.lookup(IOVA + 5) == phys[0] + 5 ? 0 : 1;
    result |= table.unlink(IOVA, LAST, cursor);
    result |= table.map(1L << 31, 1L << 21, 1L << 22, RW, RadixPageTable.ANY_LEAF, cursor, fixture.detached);
    result |= table.clearAndDetach(1L << 31, (1L << 31) + (1L << 22) - 1, cursor, fixture.detached);
  }

  private static void ignore(long iova, long length) {}
}
