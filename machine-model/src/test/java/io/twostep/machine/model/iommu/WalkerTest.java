package io.twostep.machine.model.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.dma.spi.TableFormat;
import io.twostep.machine.model.Machines;
import io.twostep.machine.model.memory.MmioMap;
import io.twostep.machine.model.memory.ModelMemory;
import io.twostep.machine.model.memory.PhysicalLayout;
import io.twostep.machine.model.memory.Rng;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WalkerTest {
  private static final int RW = Walk.READ | Walk.WRITE;

  private final ModelMemory memory =
      new ModelMemory(
          PhysicalLayout.of(16L << 20), Path.of(System.getProperty("java.io.tmpdir")), new Rng(Machines.seed()), new MmioMap(), () -> false);
  private final MemoryBlock tables = memory.allocate(8 * 4096, MemoryPlacement.CONTIGUOUS);
  private final Walk walk = new Walk();

  @AfterEach
  void close() {
    memory.close();
  }

  @Test
  void readsTheGoldenItemsOfVtd() {
    TableWalker vtd = vtd(57);
    item(3, 0x7f, table(2) | 3);
    item(2, 0x1ff, table(1) | 3);
    item(1, 3, table(0) | 3);
    item(0, 5, 0x123456003L);
    item(1, 7, 0x40000881L);
    item(2, 9, 0x80000083L);
    long top = 0x7fL << 39;
    assertThat(vtd.walk(table(3), 4, top | (0x1ffL << 30) | (3L << 21) | 0x5abc, walk)).isTrue();
    assertThat(walk.leafPhys).isEqualTo(0x123456000L);
    assertThat(walk.shift).isEqualTo(12);
    assertThat(walk.access).isEqualTo(RW);
    assertThat(vtd.walk(table(3), 4, top | (0x1ffL << 30) | (7L << 21), walk)).isTrue();
    assertThat(walk.leafPhys).isEqualTo(0x40000000L);
    assertThat(walk.shift).isEqualTo(21);
    assertThat(walk.access).isEqualTo(Walk.READ);
    assertThat(vtd.walk(table(3), 4, top | (9L << 30), walk)).isTrue();
    assertThat(walk.leafPhys).isEqualTo(0x80000000L);
    assertThat(walk.shift).isEqualTo(30);
  }

  @Test
  void readsTheGoldenItemsOfAmd() {
    TableWalker amd = amd(48);
    item(2, 0, table(1) | 0x6000000000000401L);
    item(1, 0, table(0) | 0x6000000000000201L);
    item(0, 1, 0x7000000123456001L);
    assertThat(amd.walk(table(2), 3, 0x1abc, walk)).isTrue();
    assertThat(walk.leafPhys).isEqualTo(0x123456000L);
    assertThat(walk.access).isEqualTo(RW);
    for (int i = 4; i < 8; i++) {
      item(0, i, 0x6000000000101e01L);
      assertThat(amd.walk(table(2), 3, (long) i << 12, walk)).isTrue();
      assertThat(walk.leafPhys).isEqualTo(0x100000L);
      assertThat(walk.shift).isEqualTo(14);
    }
  }

  @Test
  void takesTheTableAddressOfTheGoldenAmdPointerFromItsBits() {
    TableWalker amd = amd(48);
    item(2, 0, 0x6000000000007401L);
    assertThat(amd.walk(table(2), 3, 0, walk)).isFalse();
    assertThat(walk.tables[1]).isEqualTo(0x7000);
    assertThat(walk.cause).as("0x7000 is below RAM").isEqualTo(Cause.MALFORMED_TABLE);
  }

  @Test
  void takesTheTableAddressOfTheGoldenVtdPointerFromItsBits() {
    TableWalker vtd = vtd(39);
    item(2, 0, 0x5003);
    assertThat(vtd.walk(table(2), 3, 0, walk)).isFalse();
    assertThat(walk.tables[1]).isEqualTo(0x5000);
    assertThat(walk.cause).isEqualTo(Cause.MALFORMED_TABLE);
  }

  @Test
  void permissionsAreAndedDownTheWalk() {
    TableWalker vtd = vtd(39);
    item(2, 0, table(1) | 1);
    item(1, 0, table(0) | 3);
    item(0, 0, 0x100003);
    assertThat(vtd.walk(table(2), 3, 0, walk)).isTrue();
    assertThat(walk.access).isEqualTo(Walk.READ);
    TableWalker amd = amd(39);
    item(2, 0, table(1) | 0x401L | (1L << 62));
    item(1, 0, table(0) | 0x201L | (3L << 61));
    item(0, 0, 0x100001L | (3L << 61));
    assertThat(amd.walk(table(2), 3, 0, walk)).isTrue();
    assertThat(walk.access).isEqualTo(Walk.WRITE);
  }

  @Test
  void vtdRefusesReservedBitsAndLeavesItDoesNotHave() {
    TableWalker vtd = vtd(39);
    item(2, 0, table(1) | 3);
    item(1, 0, table(0) | 3);
    for (int bit : new int[] {2, 3, 4, 5, 6, 61, 62, 46, 51}) {
      assertCause(vtd, 3, 0x100003L | (1L << bit), Cause.MALFORMED_TABLE, "bit " + bit);
    }
    for (int bit : new int[] {10, 11, 52, 60, 63}) {
      assertCause(vtd, 3, 0x100003L | (1L << bit), null, "bit " + bit);
    }
    assertCause(vtd, 3, 0x100000L, Cause.NOT_PRESENT, "neither R nor W");
    assertCause(vtd, 3, 1L << 63, Cause.NOT_PRESENT, "software bit alone");
    item(1, 0, 0x201083);
    assertThat(vtd.walk(table(2), 3, 0, walk)).isFalse();
    assertThat(walk.cause).as("2 MiB leaf with low address bits").isEqualTo(Cause.MALFORMED_TABLE);
    item(1, 0, table(0) | 3 | (1 << 11));
    assertThat(vtd.walk(table(2), 3, 0, walk)).isFalse();
    assertThat(walk.cause).as("snoop in a table pointer").isEqualTo(Cause.MALFORMED_TABLE);
    item(2, 0, 0x8000_0000_0083L);
    assertThat(vtd.walk(table(2), 4, 0, walk)).as("no 512 GiB leaves").isFalse();
    assertThat(walk.cause).isEqualTo(Cause.MALFORMED_TABLE);
  }

  @Test
  void vtdReadsOnlyTheLeafSizesItOffers() {
    TableWalker small = walker(TableFormat.VTD_SECOND_STAGE, 39, 4096, 4096);
    item(2, 0, table(1) | 3);
    item(1, 0, 0x200083);
    assertThat(small.walk(table(2), 3, 0, walk)).isFalse();
    assertThat(walk.cause).isEqualTo(Cause.MALFORMED_TABLE);
    assertThat(vtd(39).walk(table(2), 3, 0, walk)).isTrue();
  }

  @Test
  void amdReadsEveryPowerOfTwoButTheErratum() {
    TableWalker amd = amd(64);
    for (int shift = 13; shift < 48; shift++) {
      if ((shift - 12) % 9 == 0) {
        continue;
      }
      int level = (shift - 12) / 9;
      long item = 1 | (7L << 9) | (3L << 61) | (((1L << (shift - 1)) - 1) & TableWalker.ADDRESS);
      item(0, 0, item);
      assertThat(amd.walkFrom(table(0), level, RW, 0, walk)).as("2^%d at level %d: %s", shift, level, walk.cause).isTrue();
      assertThat(walk.shift).isEqualTo(shift);
      assertThat(walk.leafPhys).isZero();
      assertThat(amd.walkFrom(table(0), (level + 1) % 4, RW, 0, walk)).as("2^%d at another level", shift).isFalse();
    }
    item(0, 0, 1 | (3L << 61));
    assertThat(amd.walkFrom(table(0), 2, RW, 0, walk)).isTrue();
    assertThat(walk.shift).isEqualTo(30);
    assertThat(amd.walkFrom(table(0), 3, RW, 0, walk)).as("512 GiB").isFalse();
    assertThat(walk.cause).isEqualTo(Cause.MALFORMED_TABLE);
    assertThat(amd.walkFrom(table(0), 5, RW, 0, walk)).as("a leaf in the top table").isFalse();
  }

  @Test
  void amdRefusesReservedBitsAndLevelsThatDoNotDescend() {
    TableWalker amd = amd(39);
    item(2, 0, table(1) | 0x401L | (3L << 61));
    item(1, 0, table(0) | 0x201L | (3L << 61));
    for (int bit : new int[] {52, 58, 63, 48, 51}) {
      assertCause(amd, 3, 0x100001L | (3L << 61) | (1L << bit), Cause.MALFORMED_TABLE, "bit " + bit);
    }
    for (int bit : new int[] {6, 7, 8, 59, 60}) {
      assertCause(amd, 3, 0x100001L | (3L << 61) | (1L << bit), null, "bit " + bit);
    }
    assertCause(amd, 3, 0x100000L | (3L << 61), Cause.NOT_PRESENT, "not present");
    assertCause(amd, 3, 0x100201L | (3L << 61), Cause.MALFORMED_TABLE, "table pointer in a leaf table");
    item(1, 0, table(0) | 0x401L | (3L << 61));
    assertThat(amd.walk(table(2), 3, 0, walk)).isFalse();
    assertThat(walk.cause).as("next level not below").isEqualTo(Cause.MALFORMED_TABLE);
  }

  @Test
  void amdMaySkipLevelsWhereTheAddressBitsAreZero() {
    TableWalker amd = amd(48);
    item(3, 0, table(0) | 0x201L | (3L << 61));
    item(0, 5, 0x100001L | (3L << 61));
    assertThat(amd.walk(table(3), 4, 0x5000, walk)).isTrue();
    assertThat(amd.walk(table(3), 4, 0x5000 | (1L << 21), walk)).isFalse();
    assertThat(walk.cause).isEqualTo(Cause.NOT_PRESENT);
    assertThat(amd.walk(table(3), 4, 0x5000 | (1L << 30), walk)).isFalse();
  }

  @Test
  void addressesBeyondTheTablesAreBeyondWidth() {
    assertThat(vtd(57).walk(table(0), 3, 1L << 39, walk)).isFalse();
    assertThat(walk.cause).isEqualTo(Cause.BEYOND_WIDTH);
    assertThat(amd(64).walk(table(0), 5, 1L << 57, walk)).isFalse();
    assertThat(walk.cause).isEqualTo(Cause.BEYOND_WIDTH);
    assertThat(amd(64).walk(table(0), 6, -1L, walk)).isFalse();
    assertThat(walk.cause).isEqualTo(Cause.NOT_PRESENT);
  }

  @Test
  void marksLeavesAccessedAndDirty() {
    TableWalker vtd = vtd(39);
    item(2, 0, table(1) | 3);
    item(1, 0, table(0) | 3);
    item(0, 0, 0x100003);
    assertThat(vtd.walk(table(2), 3, 0, walk)).isTrue();
    assertThat(vtd.needsMark(walk.item, false)).isTrue();
    assertThat(vtd.mark(walk, false)).isTrue();
    assertThat(item(0, 0)).isEqualTo(0x100103);
    assertThat(vtd.needsMark(walk.item, false)).isFalse();
    assertThat(vtd.mark(walk, true)).isTrue();
    assertThat(item(0, 0)).isEqualTo(0x100303);
    item(0, 0, 0);
    assertThat(vtd.mark(walk, true)).as("the item changed").isFalse();
    assertThat(item(0, 0)).isZero();
    TableWalker amd = amd(39);
    item(3, 0, 0x100001L | (3L << 61));
    assertThat(amd.walkFrom(table(3), 0, RW, 0, walk)).isTrue();
    assertThat(amd.needsMark(walk.item, false)).isTrue();
    assertThat(amd.mark(walk, false)).isTrue();
    assertThat(item(3, 0)).isEqualTo(0x100021L | (3L << 61));
    assertThat(amd.needsMark(walk.item, false)).isFalse();
    assertThat(amd.mark(walk, true)).isTrue();
    assertThat(item(3, 0)).isEqualTo(0x100061L | (3L << 61));
  }

  private void assertCause(TableWalker walker, int levels, long item, Cause cause, String what) {
    item(0, 0, item);
    assertThat(walker.walk(table(2), levels, 0, walk)).as(what).isEqualTo(cause == null);
    assertThat(walk.cause).as(what).isEqualTo(cause);
  }

  private TableWalker vtd(int bits) {
    return walker(TableFormat.VTD_SECOND_STAGE, bits, 4096, 1L << 30);
  }

  private TableWalker amd(int bits) {
    return walker(TableFormat.AMD_V1, bits, 4096, 1L << 51);
  }

  private TableWalker walker(String name, int bits, long smallest, long largest) {
    return TableWalker.of(HardwareFormats.of(List.of(name), bits, smallest, largest).getFirst(), memory);
  }

  private long table(int n) {
    return tables.phys(n * 4096L);
  }

  private void item(int table, int index, long value) {
    view().set(ValueLayout.JAVA_LONG, table * 4096L + index * 8L, value);
  }

  private long item(int table, int index) {
    return view().get(ValueLayout.JAVA_LONG, table * 4096L + index * 8L);
  }

  private MemorySegment view() {
    return tables.segment();
  }
}
