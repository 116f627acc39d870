package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The checker below a layer that bounces: slots are that layer's, and honest requests are no crimes. */
class BelowBounceTest {
  private static final long PAGE = Rig.PAGE;

  private static Rig rig(boolean translated, SlotOptions options) {
    Rig rig = new Rig(translated, Rig.QUIET, options, DeviceLimits.UNLIMITED);
    SwiotlbBackend bounce = new SwiotlbBackend(SwiotlbConfig.defaults().withSize(1 << 20, 4 << 20).withAreas(1).withForce(!translated));
    rig.mapper.restack(DmaStack.of(rig.terminal, bounce, rig.checker));
    return rig;
  }

  @ParameterizedTest
  @EnumSource(DmaDirection.class)
  void slotsThatAreFilledAnewAreNotChangedTooLate(DmaDirection direction) {
    try (Rig direct = rig(false, SlotOptions.DEFAULT); Rig untrusted = rig(true, SlotOptions.DEFAULT.withTrusted(false))) {
      requireSilent(direct, direction);
      requireSilent(untrusted, direction);
    }
  }

  @ParameterizedTest
  @EnumSource(DmaDirection.class)
  void slotsBesideMemoryThatNeedsCacheWorkAreCoherentAllTheSame(DmaDirection direction) {
    try (Rig rig = rig(true, SlotOptions.DEFAULT.withCoherent(false))) {
      requireSilent(rig, direction);
    }
  }

  private static void requireSilent(Rig rig, DmaDirection direction) {
    MemoryBlock block = rig.allocate(4 * PAGE);
    for (long length : new long[] {300, 3 * PAGE}) {
      try (DmaMapping mapping = rig.mapper.map(block.phys(100), length, direction, NONE)) {
        block.segment().fill((byte) length);
        mapping.syncForDevice(0, length);
        mapping.syncForCpu(0, length);
      }
    }
    assertThat(rig.reports()).isEmpty();
  }
}
