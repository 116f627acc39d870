package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The reference's vectors for maps of lists (kernel-core 4.5), as offsets from the window's base and lengths.
 *
 * <p>They agree where no boundary is crossed. Where one is, Linux lengthens the previous entry until the next starts on the boundary, and so maps memory that was
 * not given; we put the ranges one behind the other and cut the entry.
 */
class SegmentVectorsTest {
  private static final long FOUR_GIB = 0xffff_ffffL;

  private static List<List<Long>> entries(long boundaryMask, long maxSegment, long[]... ranges) {
    try (Rig rig = new Rig("memory", "2G")) {
      DeviceSlot slot = rig.plug(new ProbeDevice(), SlotOptions.DEFAULT);
      IommuBackend backend = new IommuBackend(IommuConfig.defaults());
      var block = rig.memory().allocate(1L << 30, io.twostep.dma.MemoryPlacement.CONTIGUOUS);
      DeviceLimits limits = DeviceLimits.UNLIMITED.withSegmentBoundaryMask(boundaryMask).withMaxSegmentLength(maxSegment);
      try (DmaMapper mapper = rig.attach(backend, slot, limits);
          DmaTransfer transfer = mapper.newTransfer()) {
        List<List<Long>> entries = new ArrayList<>();
        long[] base = {-1};
        transfer.map(
            new Source(block.phys(0), ranges),
            DmaDirection.BIDIRECTIONAL,
            0,
            (address, length, kind) -> {
              base[0] = base[0] == -1 ? address & -4096 : base[0];
              return entries.add(List.of(address - base[0], length));
            });
        return entries;
      }
    }
  }

  @Test
  void partlyFilledGranulesCloseEntries() {
    assertThat(
            entries(
                FOUR_GIB,
                0x1_0000,
                new long[] {0x1000_0200, 0xe00},
                new long[] {0x2000_0000, 0x1000},
                new long[] {0x3000_0000, 0x800},
                new long[] {0x3800_0000, 0x1000}))
        .containsExactly(List.of(0x200L, 0x2600L), List.of(0x3000L, 0x1000L));
  }

  @Test
  void entriesAreCutAtTheLargestSegment() {
    assertThat(
            entries(
                FOUR_GIB, 0x1_0000, new long[] {0x1000_0000, 0x8000}, new long[] {0x2000_0000, 0x8000}, new long[] {0x3000_0000, 0x1000}))
        .containsExactly(List.of(0L, 0x1_0000L), List.of(0x1_0000L, 0x1000L));
  }

  @Test
  void entriesAreCutAtTheBoundaryWhereLinuxPads() {
    assertThat(entries(0xffff, Long.MAX_VALUE, new long[] {0x1000_0000, 0xf000}, new long[] {0x2000_0000, 0x2000}))
        .containsExactly(List.of(0L, 0x1_0000L), List.of(0x1_0000L, 0x1000L));
  }

  /** Ranges of a block, at offsets that stand for the vectors' physical addresses. */
  private static final class Source implements PhysRanges {
    private final long base;
    private final long[][] ranges;
    private int at;

    Source(long base, long[][] ranges) {
      this.base = base;
      this.ranges = ranges;
    }

    @Override
    public void rewind() {
      at = 0;
    }

    @Override
    public int fill(long[] phys, long[] length) {
      int filled = 0;
      while (at < ranges.length && filled < phys.length) {
        phys[filled] = base + ranges[at][0];
        length[filled++] = ranges[at++][1];
      }
      return filled;
    }
  }
}
