package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.tck.ProbeDevice;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What may be published, how pieces of it are handed out, and that nothing is withdrawn below a mapping. */
class PublishingTest {
  private static final int PAGE = Rig.PAGE;

  @Test
  void onlyWholeFramesInsideABarArePublished() {
    try (Rig rig = new Rig(Kind.DIRECT)) {
      DeviceSlot slot = rig.slot;
      for (long[] bad : new long[][] {{0, 100}, {100, PAGE}, {0, 0}, {-PAGE, PAGE}, {0, Rig.PEER_BYTES + PAGE}, {Rig.PEER_BYTES, PAGE}, {PAGE, Long.MAX_VALUE & -PAGE}}) {
        assertThatThrownBy(() -> PeerMemory.publish(rig.machine, slot, ProbeDevice.MEMORY_BAR, bad[0], bad[1]))
            .as("%d+%d", bad[0], bad[1])
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("0000:03:00.0")
            .hasMessageContaining("whole frames of 0x1000");
      }
      assertThatThrownBy(() -> PeerMemory.publish(rig.machine, slot, 1, 0, PAGE)).hasMessageContaining("there is no BAR 1");
      assertThatThrownBy(() -> PeerMemory.publish(rig.machine, rig.nearMemory.provider(), ProbeDevice.MEMORY_BAR, 0, PAGE)).hasMessageContaining("published already");
    }
  }

  @Test
  @Tag("breaks:not-memory")
  void whatIsNotPublishedIsNoMemoryForAnybody() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      long phys = rig.slot.bar(ProbeDevice.MEMORY_BAR).phys();
      assertThat(rig.machine.memory().regionOf(phys, PAGE).kind()).isEqualTo(MemoryKind.MMIO);
      assertThatThrownBy(() -> rig.mapper.map(phys, PAGE, BIDIRECTIONAL, NONE))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED));
      try (PeerMemory own = rig.mapper.publish(ProbeDevice.MEMORY_BAR, 0, PAGE);
          DmaMapping mapping = rig.mapper.map(own.phys(), PAGE, BIDIRECTIONAL, NONE)) {
        assertThat(mapping.dmaAddress()).as("a device reaches its own memory").isEqualTo(own.range().busAddress());
        mapping.unmap();
      }
    }
  }

  @Test
  void piecesAreAlignedCountedAndShownToTheCpu() {
    try (Rig rig = new Rig(Kind.DIRECT)) {
      PeerMemory memory = rig.nearMemory;
      PeerBlock small = memory.allocate(100, 64);
      PeerBlock page = memory.allocate(PAGE + 1);
      assertThat(page.phys() % PAGE).isZero();
      assertThat(small.phys() % 64).isZero();
      assertThat(memory.allocations()).isEqualTo(2);
      assertThat(memory.freeBytes()).isEqualTo(Rig.PEER_BYTES - 100 - PAGE - 1);
      page.segment().set(ValueLayout.JAVA_BYTE, 7, (byte) 42);
      assertThat(rig.near.memory(page.offset() + 7, 1)).containsExactly(42);
      assertThatThrownBy(() -> memory.allocate(Rig.PEER_BYTES))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED))
          .hasMessageContaining("the largest free piece has");
      assertThatThrownBy(() -> memory.allocate(0)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> memory.allocate(8, 3)).isInstanceOf(IllegalArgumentException.class);
      small.close();
      small.close();
      page.close();
      assertThat(memory.largestFree()).isEqualTo(Rig.PEER_BYTES);
    }
  }

  @Test
  void memoryIsNotWithdrawnBelowAMapping() {
    try (Rig rig = new Rig(Kind.DIRECT)) {
      DmaMapping mapping = rig.mapper.map(rig.nearMemory.phys(), PAGE, BIDIRECTIONAL, NONE);
      assertThatThrownBy(rig.nearMemory::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("1 mappings still hold it");
      mapping.close();
      rig.nearMemory.close();
      rig.nearMemory.close();
      assertThat(rig.nearMemory.revoke().toCompletableFuture()).isCompleted();
      assertThatThrownBy(() -> rig.nearMemory.allocate(8)).isInstanceOf(DmaMappingException.class);
    }
  }
}
