package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.LinearMapping;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.MemoryBlock;
import io.twostep.tck.Ranges;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** Ranges copied together are followed one by one: each can be written too late, unwritten, shared, and lost. */
class GatheredCrimesTest {
  private static final long PAGE = Rig.PAGE;

  private static Rig rig() {
    return Rig.translated(new SwiotlbBackend(SwiotlbConfig.defaults()));
  }

  /** Three pieces with gaps between them, the last first in memory. */
  private static Ranges pieces(MemoryBlock block) {
    return new Ranges().add(block.phys(PAGE + 100), 300).add(block.phys(3 * PAGE), 200).add(block.phys(10), 50);
  }

  private static void put(MemoryBlock block, long at) {
    block.segment().set(ValueLayout.JAVA_BYTE, at, (byte) (block.segment().get(ValueLayout.JAVA_BYTE, at) + 1));
  }

  @Test
  void whatIsUsedAsItShouldBeIsNotReported() {
    try (Rig rig = rig();
        LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      linear.map(pieces(block), BIDIRECTIONAL, NONE, LinearPolicy.MAY_BOUNCE);
      put(block, 2 * PAGE);
      linear.syncForCpu(250, 100);
      put(block, PAGE + 100 + 260);
      put(block, 3 * PAGE + 20);
      linear.syncForDevice(250, 100);
      linear.unmap();
      assertThat(rig.reports()).isEmpty();
    }
  }

  @Test
  void writesToAnyPieceWhileTheDeviceOwnsItAreFound() {
    for (long at : new long[] {PAGE + 100, PAGE + 399, 3 * PAGE + 199, 10, 59}) {
      try (Rig rig = rig();
          LinearMapping linear = rig.mapper.newLinear()) {
        MemoryBlock block = rig.allocate(4 * PAGE);
        linear.map(pieces(block), TO_DEVICE, NONE, LinearPolicy.MAY_BOUNCE);
        put(block, at);
        linear.unmap();
        assertThat(rig.reports()).as("a write at 0x%x", at).hasSize(1);
        rig.one(Rule.BOUNCE_WITHOUT_SYNC, true);
      }
    }
  }

  @Test
  void pieceThatNobodyWroteIsNotSent() {
    try (Rig rig = rig();
        LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      rig.checker.watchWrites(block);
      block.segment().asSlice(0, 2 * PAGE).fill((byte) 0);
      linear.map(pieces(block), TO_DEVICE, NONE, LinearPolicy.MAY_BOUNCE);
      linear.unmap();
      assertThat(rig.only(Rule.SENT_UNWRITTEN, false).detail()).contains("0x%x".formatted(block.phys(3 * PAGE)));
      rig.checker.unwatchWrites(block);
    }
  }

  @Test
  void pieceThatAnotherDeviceWritesIsFoundToOverlap() {
    try (Rig rig = rig();
        LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      DmaMapping other = rig.mapper.map(block.phys(3 * PAGE + 128), 64, FROM_DEVICE, NONE);
      linear.map(pieces(block), FROM_DEVICE, NONE, LinearPolicy.MAY_BOUNCE);
      linear.unmap();
      other.close();
      rig.one(Rule.OVERLAPPING_WRITE, true);
    }
  }

  @Test
  void refusalByTheLayerLeavesNothingFollowed() {
    try (Rig rig = Rig.translated();
        LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      assertThatThrownBy(() -> linear.map(pieces(block), FROM_DEVICE, NONE, LinearPolicy.MAY_BOUNCE)).hasMessageContaining("NOT_LINEAR");
      assertThat(rig.checker.statistics().live()).isZero();
      assertThat(rig.checker.statistics().entries()).isZero();
      assertThat(rig.reports()).isEmpty();
    }
  }
}
