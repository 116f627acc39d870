package io.twostep.backend.iommu.table;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The words and page sizes that reference section 4.12 gives, bit for bit. */
class EntryVectorsTest {
  private static final int RW = LeafAccess.READ | LeafAccess.WRITE;

  @Test
  void vtdLeafOf4KiBReadWrite() {
    assertThat(wordFor(Formats.VTD, 0x5000, 0x123456000L, 4096, RW)).isEqualTo(0x123456003L);
  }

  @Test
  void vtdLeafOf2MiBReadOnlySnooped() {
    assertThat(wordFor(Formats.VTD, 0x200000, 0x40000000L, 0x200000, LeafAccess.READ | LeafAccess.COHERENT))
        .isEqualTo(0x40000881L);
  }

  @Test
  void vtdWriteOnlyLeafIsNotReadable() {
    assertThat(wordFor(Formats.VTD, 0x5000, 0x6000, 4096, LeafAccess.WRITE)).isEqualTo(0x6002L);
  }

  @Test
  void vtdReadOnlyErratumMakesLeavesWritable() {
    TableFormat format = VtdSecondStage.format(4, 52, VtdSecondStage.ALL_PAGE_SIZES, false, false, true);
    assertThat(wordFor(format, 0x5000, 0x6000, 4096, LeafAccess.READ | LeafAccess.COHERENT)).isEqualTo(0x6003L);
    assertThat(format.effectiveAccess(LeafAccess.READ)).isEqualTo(RW);
    assertThat(Formats.VTD.effectiveAccess(LeafAccess.READ)).isEqualTo(LeafAccess.READ);
  }

  @Test
  void vtdPointerToATable() {
    assertThat(pointerTo(0x5000, Formats.VTD, 1)).isEqualTo(0x5003L);
  }

  @Test
  void amdLeafOf4KiBReadWriteForcedCoherent() {
    assertThat(wordFor(Formats.AMD, 0x5000, 0x123456000L, 4096, RW | LeafAccess.COHERENT))
        .isEqualTo(0x7000000123456001L);
  }

  @Test
  void amdLeafOf16KiBIsWrittenFourTimes() {
    try (var fixture = new TableFixture(Formats.AMD)) {
      assertThat(fixture.map(0x8000, 0x100000, 0x4000)).isEqualTo(TableResult.OK);
      for (long iova = 0x8000; iova < 0xc000; iova += 0x1000) {
        assertThat(fixture.leafWord(iova)).isEqualTo(0x6000000000101e01L);
      }
      assertThat(fixture.leaves()).isEqualTo(1);
    }
  }

  @Test
  void amdPointerInALevelTwoTable() {
    assertThat(pointerTo(0x7000, Formats.AMD, 2)).isEqualTo(0x6000000000007401L);
  }

  @Test
  void pageSizesGrowAndShrinkAroundLargePages() {
    long first = 0x3fe400000L;
    List<Long> expected = new ArrayList<>();
    for (int i = 0; i < 14; i++) {
      expected.add(1L << 21);
    }
    expected.addAll(List.of(1L << 30, 1L << 30, 1L << 30, 1L << 21, 1L << 21, 1L << 21));
    assertThat(leafSizes(Formats.VTD, first, first, 0x4c0600000L - first)).isEqualTo(expected);
  }

  @Test
  void pageSizesStaySmallWhereAddressesDisagree() {
    List<Long> sizes = leafSizes(Formats.AMD, 0xfef80000L, 0x208b95d000L, 128 << 10);
    assertThat(sizes).hasSize(32).containsOnly(4096L);
  }

  @Test
  void pageSizesUseEveryPowerOfTwo() {
    assertThat(leafSizes(Formats.AMD, 0x1000, 0x3000, 36 << 10))
        .containsExactly(4096L, 8192L, 8192L, 8192L, 8192L);
  }

  @Test
  void pageSizesNeverExceedTheLimitGiven() {
    try (var fixture = new TableFixture(Formats.AMD)) {
      fixture.table.map(0, 0, 1 << 21, RW, 1 << 14, null, fixture.detached);
      assertThat(fixture.leaves()).isEqualTo((1 << 21) / (1 << 14));
    }
  }

  @Test
  void amdSkipsTheSizeThatHardwareGetsWrong() {
    assertThat(leafSizes(Formats.AMD, 1L << 40, 0, 1L << 39)).containsExactly(1L << 38, 1L << 38);
    assertThat(leafSizes(Formats.AMD, 0, 0, 1L << 51)).containsExactly(1L << 51);
    assertThat(leafSizes(Formats.AMD, 0, 0, 1L << 48)).containsExactly(1L << 48);
  }

  private static long wordFor(TableFormat format, long iova, long phys, long length, int access) {
    try (var fixture = new TableFixture(format)) {
      assertThat(fixture.table.map(iova, phys, length, access, RadixPageTable.ANY_LEAF, null, fixture.detached))
          .isEqualTo(TableResult.OK);
      return fixture.leafWord(iova);
    }
  }

  /** Puts the child of a level-{@code level} table on a chosen page and returns the pointer to it. */
  private static long pointerTo(long phys, TableFormat format, int level) {
    try (var arena = java.lang.foreign.Arena.ofShared()) {
      // Pages are handed out upwards: the root first, then one per level down to the child in question.
      long rootPhys = phys - (format.firstTop() - level + 1) * 4096L;
      var memory = new FakeTableMemory(arena, rootPhys, 16);
      var table = new RadixPageTable(format, memory, 4096, RootPublisher.FIXED);
      table.prepare(0, 0xfff);
      long at = table.rootPhys();
      for (int i = format.firstTop(); i > level; i--) {
        at = memory.word(at) & 0xf_ffff_ffff_f000L;
      }
      return memory.word(at);
    }
  }

  private static List<Long> leafSizes(TableFormat format, long iova, long phys, long length) {
    try (var fixture = new TableFixture(format)) {
      assertThat(fixture.map(iova, phys, length)).isEqualTo(TableResult.OK);
      List<Long> sizes = new ArrayList<>();
      for (long at = iova; at != iova + length; at += fixture.hardware.leafLength) {
        assertThat(fixture.hardware.translate(at)).isTrue();
        assertThat(fixture.hardware.phys).isEqualTo(phys + (at - iova));
        sizes.add(fixture.hardware.leafLength);
      }
      assertThat(fixture.leaves()).isEqualTo(sizes.size());
      return sizes;
    }
  }
}
