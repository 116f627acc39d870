package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaSink;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.tck.Allocation;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A warm request with peers allocates nothing on the heap, whatever way the peers are reached. */
@Tag("unchecked")
class HotPathTest {
  /** Three ranges without objects. */
  private static final class Three implements PhysRanges {
    private final long first;
    private final long peer;
    private final long last;
    private boolean given;

    Three(long first, long peer, long last) {
      this.first = first;
      this.peer = peer;
      this.last = last;
    }

    @Override
    public void rewind() {
      given = false;
    }

    @Override
    public int fill(long[] phys, long[] length) {
      if (given) {
        return 0;
      }
      given = true;
      phys[0] = first;
      phys[1] = peer;
      phys[2] = last;
      length[0] = Rig.PAGE;
      length[1] = Rig.PAGE;
      length[2] = Rig.PAGE;
      return 3;
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"DIRECT", "IOMMU"})
  void aWarmRequestAllocatesNothing(Kind kind) {
    try (Rig rig = new Rig(kind, DeviceLimits.UNLIMITED, "iotlb", "normal");
        DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(3L * Rig.PAGE);
      Three near = new Three(block.phys(0), rig.nearMemory.phys(), block.phys(2L * Rig.PAGE));
      Three behind = new Three(block.phys(0), rig.behindMemory.phys(), block.phys(2L * Rig.PAGE));
      DmaSink sink = (dmaAddress, length, requestKind) -> true;
      long least =
          Allocation.leastBytesOf(
              () -> {
                transfer.map(near, BIDIRECTIONAL, NONE, sink);
                transfer.unmap();
                transfer.map(behind, BIDIRECTIONAL, NONE, sink);
                transfer.unmap();
              });
      assertThat(least).as("heap bytes of 500 rounds").isZero();
    }
  }
}
