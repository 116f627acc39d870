package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.fake.FakeMemory;
import io.twostep.dma.fake.Faults;
import org.junit.jupiter.api.Test;

class PhysicalMemoryTest {
  private static final long FRAME = FakeMemory.FRAME;

  private final FakeMemory memory = new FakeMemory(new Faults());

  @Test
  void aMachineThatDoesNotLookBetweenBoundsRefusesAndKeepsNothing() {
    long second = FakeMemory.BASE + FRAME;
    try (MemoryBlock lowest = memory.allocateWithin(FRAME, MemoryPlacement.CONTIGUOUS, FakeMemory.BASE, -1L)) {
      assertThat(lowest.phys(0)).isEqualTo(FakeMemory.BASE);
      memory.allocateWithin(FRAME, MemoryPlacement.COHERENT, second, -1L).close();
    }
    assertThatThrownBy(() -> memory.allocateWithin(FRAME, MemoryPlacement.CONTIGUOUS, second, -1L))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED))
        .hasMessageContaining("0x1000 bytes was found from 0x101000 to 0xffffffffffffffff; ");
    assertThat(memory.regionOf(FakeMemory.BASE, 1)).isSameAs(MemoryRegion.ABSENT);
    assertThatThrownBy(() -> memory.allocateWithin(FRAME, MemoryPlacement.SCATTERED, second, -1L)).isInstanceOf(IllegalArgumentException.class);
  }
}
