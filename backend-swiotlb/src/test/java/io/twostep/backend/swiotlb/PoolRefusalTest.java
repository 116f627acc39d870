package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.LinearMapping;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.Ranges;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** What cannot be bounced is refused in one line that says for which device, which bytes, why, and what to do; and nothing is taken. */
class PoolRefusalTest {
  private static final SlotOptions PLAIN = SlotOptions.DEFAULT.withTranslation(Translation.NONE);
  private static final int NONE = DmaAttributes.NONE;
  private static final int ATTEMPTS = 30_000;

  private static Rig rig(DeviceLimits limits, SwiotlbConfig config) {
    return new Rig(new DirectBackend(), PLAIN, limits, config);
  }

  private static void requireRefused(Reason reason, String message, Runnable call) {
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(
            DmaMappingException.class,
            e -> {
              assertThat(e.reason()).isEqualTo(reason);
              assertThat(e.isRetryable()).isEqualTo(reason == Reason.BOUNCE_EXHAUSTED || reason == Reason.QUOTA);
            })
        .hasMessageStartingWith("0000:01:00.0: ")
        .hasMessageContaining(message)
        .hasMessageContaining("; ")
        .message()
        .doesNotContain("\n");
  }

  @Test
  void everyRefusalHasItsReasonAndLeavesNothing() {
    SwiotlbConfig config = new SwiotlbConfig(256 << 10, 256 << 10, 1, true, 192 << 10, true);
    try (Rig rig = rig(DeviceLimits.UNLIMITED, config); LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(1 << 20, MemoryPlacement.CONTIGUOUS);
      MemorySegment heap = MemorySegment.ofArray(new byte[512 << 10]);
      Ranges two = new Ranges().add(block.phys(64), 0x10000).add(block.phys(0x20000), 0x30000);
      long phys = block.phys(0);
      requireRefused(Reason.BOUNCE_TOO_LARGE, "0x%x+0x80000".formatted(phys), () -> rig.mapper.map(phys, 512 << 10, DmaDirection.TO_DEVICE, NONE));
      requireRefused(Reason.BOUNCE_TOO_LARGE, "0x%x+0x32000".formatted(phys), () -> rig.mapper.map(phys, 200 << 10, DmaDirection.TO_DEVICE, NONE));
      requireRefused(Reason.BOUNCE_TOO_LARGE, "a segment of 0x80000 bytes", () -> rig.mapper.map(heap, DmaDirection.TO_DEVICE, NONE));
      requireRefused(
          Reason.BOUNCE_TOO_LARGE,
          "2 ranges of 0x40000 bytes together, the first at 0x%x".formatted(phys + 64),
          () -> linear.map(two, DmaDirection.TO_DEVICE, NONE, LinearPolicy.MAY_BOUNCE));
      requireRefused(Reason.BOUNCE_FORBIDDEN, "0x%x+0xa".formatted(phys), () -> rig.mapper.map(phys, 10, DmaDirection.TO_DEVICE, DmaAttributes.REQUIRE_COHERENT));
      requireRefused(
          Reason.BOUNCE_FORBIDDEN, "a segment of 0x80000 bytes", () -> rig.mapper.map(heap, DmaDirection.TO_DEVICE, DmaAttributes.REQUIRE_COHERENT));
      requireRefused(Reason.UNSUPPORTED, "the window would hold memory that the device cannot address", () -> rig.mapper.newWindow(1 << 20, 4096, DmaDirection.TO_DEVICE, NONE));
      assertThat(rig.mapper.limits().maxMappingLength()).isEqualTo(192 << 10);
      try (DmaMapping most = rig.mapper.map(phys, 192 << 10, DmaDirection.TO_DEVICE, NONE)) {
        requireRefused(Reason.QUOTA, "0x%x+0x1".formatted(phys), () -> rig.mapper.map(phys, 1, DmaDirection.TO_DEVICE, NONE));
        assertThat(most.length()).isEqualTo(192 << 10);
      }
      SwiotlbStatistics statistics = rig.layer.statistics();
      assertThat(statistics.tooLarge()).isEqualTo(4);
      assertThat(statistics.forbidden()).isEqualTo(2);
      assertThat(statistics.quota()).as("the linear request too, tried one by one").isEqualTo(2);
    }
  }

  @Test
  void rangesThatFindNoRoomOneByOneAreCopiedTogetherWhereTheyDo() {
    try (Rig rig = rig(DeviceLimits.UNLIMITED, Rig.CONFIG.withForce(true).withQuota(4096)); LinearMapping linear = rig.mapper.newLinear()) {
      MemoryBlock block = rig.allocate(64 << 10, MemoryPlacement.CONTIGUOUS);
      Ranges three = new Ranges().add(block.phys(100), 77).add(block.phys(5000), 900).add(block.phys(300), 1000);
      long address = linear.map(three, DmaDirection.TO_DEVICE, NONE, LinearPolicy.MAY_BOUNCE);
      assertThat(rig.slotsUsed()).isEqualTo(1);
      assertThat(rig.device.tryRead(address + 77, 900)).isEqualTo(Rig.bytesOf(1, 5000, 900));
      linear.unmap();
      requireRefused(
          Reason.BOUNCE_TOO_LARGE,
          "2 ranges of 0x1100 bytes together",
          () -> linear.map(new Ranges().add(block.phys(0), 4096).add(block.phys(8192), 256), DmaDirection.TO_DEVICE, NONE, LinearPolicy.MAY_BOUNCE));
    }
  }

  @Test
  void aDeviceThatWantsMoreLowBitsKeptThanAnAreaHasIsRefusedAtAttach() {
    try (Rig rig = rig(DeviceLimits.UNLIMITED, new SwiotlbConfig(128 << 10, 128 << 10, 1, true, 4096, true))) {
      for (long mask : new long[] {(128 << 10) - 1, (1 << 20) - 1}) {
        requireRefused(Reason.UNSUPPORTED, "larger", () -> rig.stack.attach(rig.machine, rig.slot, DeviceLimits.UNLIMITED.withMinAlignMask(mask)));
      }
      assertThat(rig.layer.statistics().devices()).isEqualTo(1);
    }
  }

  @Test
  void aFullPoolIsRetryableAndServesAgainAfterUnmap() {
    SwiotlbConfig config = new SwiotlbConfig(128 << 10, 128 << 10, 1, true, 0, true);
    try (Rig rig = rig(DeviceLimits.UNLIMITED, config)) {
      MemoryBlock block = rig.allocate(128 << 10, MemoryPlacement.CONTIGUOUS);
      try (DmaMapping all = rig.mapper.map(block.phys(0), 128 << 10, DmaDirection.TO_DEVICE, NONE)) {
        requireRefused(Reason.BOUNCE_EXHAUSTED, "0x%x+0x1".formatted(block.phys(5)), () -> rig.mapper.map(block.phys(5), 1, DmaDirection.TO_DEVICE, NONE));
        all.unmap();
        rig.mapper.map(block.phys(0), 1, DmaDirection.TO_DEVICE, NONE).close();
      }
      assertThat(rig.layer.statistics().exhausted()).isEqualTo(1);
    }
  }

  @Test
  void slotsThatFindNoMemoryWithinReachSayWhereAndServeOnceThereIsSome() {
    try (Rig rig = rig(DeviceLimits.ofBits(24), Rig.CONFIG)) {
      List<MemoryBlock> low = new ArrayList<>();
      assertThatThrownBy(
              () -> {
                while (true) {
                  low.add(rig.machine.memory().allocate(128 << 10, MemoryPlacement.CONTIGUOUS, 0xff_ffffL));
                }
              })
          .isInstanceOf(DmaMappingException.class);
      MemoryBlock high = rig.allocate(64 << 10, MemoryPlacement.CONTIGUOUS);
      assertThat(high.phys(0)).isGreaterThan(0xff_ffffL);
      Rig.fill(low.getFirst().segment(), 3);
      try (DmaMapping within = rig.mapper.map(low.getFirst().phys(0), 5000, DmaDirection.BIDIRECTIONAL, NONE)) {
        requireRefused(
            Reason.BOUNCE_EXHAUSTED, "within the device's reach, 0x0..0xffffff", () -> rig.mapper.map(high.phys(0), 4096, DmaDirection.BIDIRECTIONAL, NONE));
        assertThat(rig.layer.statistics().noMemory()).isEqualTo(1);
        assertThat(rig.slotsUsed()).isZero();
        assertThat(rig.device.tryRead(within.dmaAddress(), 5000)).isEqualTo(Rig.patterned(5000, 3));
      }
      low.forEach(MemoryBlock::close);
      try (DmaMapping mapping = rig.mapper.map(high.phys(0), 4096, DmaDirection.BIDIRECTIONAL, NONE)) {
        assertThat(rig.device.tryRead(mapping.dmaAddress(), 4096)).isEqualTo(Rig.patterned(4096, 1));
      }
    }
  }

  @Test
  void aDeviceWithoutAnyMemoryInReachIsToldThatNoWaitingHelps() {
    try (Rig rig = rig(DeviceLimits.ofBits(20), Rig.CONFIG)) {
      MemoryBlock block = rig.allocate(4096, MemoryPlacement.CONTIGUOUS);
      requireRefused(Reason.OUT_OF_REACH, "0x%x+0x1000".formatted(block.phys(0)), () -> rig.mapper.map(block.phys(0), 4096, DmaDirection.TO_DEVICE, NONE));
      requireRefused(Reason.OUT_OF_REACH, "0x0..0xfffff", () -> rig.mapper.map(MemorySegment.ofArray(new byte[10]), DmaDirection.TO_DEVICE, NONE));
      assertThat(rig.layer.statistics().noMemory()).isEqualTo(2);
    }
  }

  @Test
  void aRequestBeyondTheQuotaTakesNothingFromOneWithinIt() throws Exception {
    SwiotlbConfig config = Rig.CONFIG.withForce(true).withQuota(8192);
    try (Rig rig = rig(DeviceLimits.UNLIMITED, config); DmaMapping within = rig.mapper.newMapping(); DmaMapping beyond = rig.mapper.newMapping()) {
      long phys = rig.allocate(16384, MemoryPlacement.CONTIGUOUS).phys(0);
      try (DmaMapping held = rig.mapper.map(phys, 2048, DmaDirection.TO_DEVICE, NONE);
          ExecutorService other = Executors.newSingleThreadExecutor()) {
        Future<Integer> refused =
            other.submit(
                () -> {
                  int count = 0;
                  for (int i = 0; i < ATTEMPTS; i++) {
                    try {
                      beyond.map(phys + 8192, 8192, DmaDirection.TO_DEVICE, NONE);
                    } catch (DmaMappingException e) {
                      count += e.reason() == Reason.QUOTA ? 1 : 0;
                    }
                  }
                  return count;
                });
        for (int i = 0; i < ATTEMPTS || !refused.isDone(); i++) {
          within.map(phys + 4096, 2048, DmaDirection.TO_DEVICE, NONE).unmap();
        }
        assertThat(refused.get()).isEqualTo(ATTEMPTS);
        assertThat(held.length()).isEqualTo(2048);
      }
      assertThat(rig.layer.statistics().quota()).isEqualTo(ATTEMPTS);
    }
  }
}
