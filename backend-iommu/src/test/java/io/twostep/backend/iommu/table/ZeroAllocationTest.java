package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/** The calls of the data path leave nothing for the garbage collector, whatever formats the process has seen. */
class ZeroAllocationTest {
  private static final int RW = LeafAccess.READ | LeafAccess.WRITE;
  private static final int PAGES = 64;
  private static final int WARM_UP = 30_000;
  private static final int MEASURED = 10_000;
  private final long[] phys = new long[PAGES];
  private final long[] length = new long[PAGES];

  @Test
  void mapUnlinkLookupProtectAndDirtyAllocateNothing() {
    for (int i = 0; i < PAGES; i++) {
      phys[i] = 0x1000L * (3 * i + 1);
      length[i] = 0x1000;
    }
    try (var vtd = new TableFixture(Formats.VTD);
        var amd = new TableFixture(Formats.AMD)) {
      repeat(vtd, WARM_UP);
      repeat(amd, WARM_UP);
      var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long before = threads.getCurrentThreadAllocatedBytes();
      long noise = threads.getCurrentThreadAllocatedBytes() - before;
      before = threads.getCurrentThreadAllocatedBytes();
      repeat(vtd, MEASURED);
      repeat(amd, MEASURED);
      long allocated = threads.getCurrentThreadAllocatedBytes() - before - noise;
      // Compilation that still goes on may cost bytes once; one byte per round would be 20,000.
      assertThat(allocated).isLessThan(MEASURED);
    }
  }

  private void repeat(TableFixture fixture, int rounds) {
    RadixPageTable table = fixture.table;
    long iova = (1L << 30) - 0x10000;
    int result = 0;
    long bytes = 0;
    for (int i = 0; i < rounds; i++) {
      LeafCursor cursor = (i & 1) == 0 ? fixture.cursor : null;
      result |= table.mapRun(iova, phys, length, 0, PAGES, RW, 4096, cursor, fixture.detached);
      result |= table.protect(iova, iova + PAGES * 0x1000 - 1, LeafAccess.READ);
      bytes += table.readAndClearDirty(iova, iova + PAGES * 0x1000 - 1, ZeroAllocationTest::ignore);
      result |= table.lookup(iova + 5) == phys[0] + 5 ? 0 : 1;
      result |= table.unlink(iova, iova + PAGES * 0x1000 - 1, cursor);
      result |= table.map(1L << 31, 1L << 21, 1L << 22, RW, RadixPageTable.ANY_LEAF, cursor, fixture.detached);
      result |= table.clearAndDetach(1L << 31, (1L << 31) + (1L << 22) - 1, cursor, fixture.detached);
    }
    assertThat(result).isZero();
    assertThat(bytes).isZero();
  }

  private static void ignore(long iova, long length) {}
}
