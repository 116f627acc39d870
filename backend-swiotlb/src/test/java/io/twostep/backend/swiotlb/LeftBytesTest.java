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
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.LinearMapping;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.Ranges;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** What lay in slots before is shown to nobody: neither to a device nor, by a copy out, to the memory of another request. */
class LeftBytesTest {
  private static final SlotOptions PLAIN = SlotOptions.DEFAULT.withTranslation(Translation.NONE);
  private static final int NONE = DmaAttributes.NONE;

  /** Leaves bytes in the slots that are taken next. */
  private static void leaveSecrets(Rig rig) {
    MemoryBlock block = rig.allocate(64 << 10, MemoryPlacement.CONTIGUOUS);
    Rig.fill(block.segment(), 42);
    rig.mapper.map(block.phys(0), 64 << 10, DmaDirection.TO_DEVICE, NONE).close();
  }

  @Test
  void aRequestThatFailsLeavesTheMemoryOfItsBouncedPartAsItWas() {
    for (int attributes : new int[] {NONE, DmaAttributes.OVERWRITE}) {
      try (Rig rig = new Rig(new DirectBackend(), PLAIN, DeviceLimits.UNLIMITED, Rig.CONFIG.withForce(true)); DmaTransfer transfer = rig.mapper.newTransfer(); LinearMapping linear = rig.mapper.newLinear()) {
        leaveSecrets(rig);
        MemoryBlock block = rig.allocate(64 << 10, MemoryPlacement.CONTIGUOUS);
        Ranges ranges = new Ranges().add(block.phys(0), 3000).add(block.phys(8192), 3000).add(block.phys(20_000), 5000);
        for (long refuseAt = 0; refuseAt < 3; refuseAt++) {
          long refused = refuseAt;
          long[] seen = {0};
          assertThat(
                  transfer.map(
                      ranges,
                      DmaDirection.FROM_DEVICE,
                      attributes,
                      (dmaAddress, length, kind) -> {
                        rig.device.tryWrite(dmaAddress, new byte[100]);
                        return seen[0]++ != refused;
                      }))
              .isEqualTo(-1);
          assertThat(Rig.bytes(block.segment(), 0, 64 << 10)).isEqualTo(Rig.patterned(64 << 10, 1));
        }
        assertThatThrownBy(() -> linear.map(ranges, DmaDirection.FROM_DEVICE, attributes, LinearPolicy.IN_PLACE))
            .isInstanceOf(DmaMappingException.class);
        assertThat(Rig.bytes(block.segment(), 0, 64 << 10)).isEqualTo(Rig.patterned(64 << 10, 1));
        assertThat(rig.layer.statistics().bytesOut()).isZero();
      }
    }
  }

  @Test
  void aWindowThatRefusesMemoryItWouldHaveToBounceLeavesItAsItWas() {
    String windows = "0x100000:0x80000000:0x4000000,0x4800000:0x40000000:0x20000000";
    try (Rig rig = new Rig(new DirectBackend(), PLAIN, DeviceLimits.UNLIMITED, Rig.CONFIG, "inbound", windows)) {
      MemoryBlock block = rig.allocate(64 << 20, MemoryPlacement.CONTIGUOUS);
      long unreached = 0x4100000L - block.phys(0);
      assertThat(unreached).isBetween(0L, (64L << 20) - 4096);
      rig.mapper.map(block.phys(unreached + 8192), 4096, DmaDirection.TO_DEVICE, NONE).close();
      try (SparseWindow window = rig.mapper.newWindow(1 << 20, 4096, DmaDirection.FROM_DEVICE, DmaAttributes.OVERWRITE)) {
        assertThatThrownBy(() -> window.link(0, block.phys(unreached), 4096, DmaDirection.FROM_DEVICE))
            .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED));
      }
      assertThat(Rig.bytes(block.segment(), unreached, 4096)).isEqualTo(Rig.bytesOf(1, (int) unreached, 4096));
    }
  }

  @Test
  void bytesThatADeviceLeavesUnwrittenInSpiteOfOverwriteAreNobodys() {
    try (Rig rig = new Rig(new DirectBackend(), PLAIN, DeviceLimits.UNLIMITED, Rig.CONFIG.withForce(true))) {
      leaveSecrets(rig);
      MemoryBlock block = rig.allocate(8192, MemoryPlacement.CONTIGUOUS);
      byte[] heap = Rig.patterned(3000, 5);
      for (DmaDirection direction : DmaDirection.values()) {
        try (DmaMapping mapping = rig.mapper.map(block.phys(100), 5000, direction, DmaAttributes.OVERWRITE)) {
          assertThat(rig.device.tryRead(mapping.dmaAddress(), 5000)).isEqualTo(new byte[5000]);
        }
      }
      try (DmaMapping mapping = rig.mapper.map(MemorySegment.ofArray(heap), DmaDirection.FROM_DEVICE, DmaAttributes.OVERWRITE)) {
        rig.device.tryWrite(mapping.dmaAddress(), new byte[] {7});
      }
      assertThat(heap).startsWith(7, 0, 0);
      assertThat(Rig.bytes(block.segment(), 100, 5000)).isEqualTo(new byte[5000]);
      assertThat(Rig.bytes(block.segment(), 0, 100)).isEqualTo(Rig.bytesOf(1, 0, 100));
    }
  }
}
