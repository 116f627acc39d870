package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Retirement;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Requests with bounced edges that fail when the device reaches them already, on a host that then does not take them back. */
class FailedUndoTest {
  private static final int GRANULE = 4096;
  private static final int LEAD = 100;
  private static final int LENGTH = 3 * GRANULE;

  /** Fails once everything is visible to the device, and takes nothing down until the device is reset. */
  private static final class StubbornHost implements LayerBackend {
    private boolean stubborn = true;
    private long visible;

    @Override
    public String name() {
      return "stubborn host";
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return new ForwardingOps(next) {
        @Override
        public void publish(MappingState state, long offset, long length, Retirement undo) {
          next.publish(state, offset, length, undo);
          if (stubborn) {
            visible = state.dmaAddress;
            throw new DmaMappingException(Reason.PIN_LIMIT, context.device() + ": no more is pinned");
          }
        }

        @Override
        public void release(MappingState state, Retirement batch) {
          if (stubborn) {
            throw new DmaMappingException(Reason.QUARANTINED, context.device() + ": not confirmed");
          }
          next.release(state, batch);
        }
      };
    }

    @Override
    public void close() {}
  }

  private static Rig rig(StubbornHost host) {
    Rig rig = new Rig(new IommuBackend(IommuConfig.defaults()), SlotOptions.DEFAULT.withTrusted(false), DeviceLimits.UNLIMITED, Rig.CONFIG);
    rig.mapper.restack(DmaStack.of(rig.terminal, rig.layer, host));
    return rig;
  }

  @Test
  @Tag("breaks:device-used-unknown-address")
  void aMappingThatCouldNotBeUndoneKeepsMemorySlotsAndAddressUntilAReset() {
    requireKept((rig, block) -> {
      try (DmaMapping mapping = rig.mapper.newMapping()) {
        mapping.map(block.phys(LEAD), LENGTH, DmaDirection.FROM_DEVICE, DmaAttributes.NONE);
      }
    });
  }

  @Test
  @Tag("breaks:device-used-unknown-address")
  void aTransferThatCouldNotBeUndoneKeepsMemorySlotsAndAddressUntilAReset() {
    requireKept((rig, block) -> {
      try (DmaTransfer transfer = rig.mapper.newTransfer()) {
        transfer.map(PhysRanges.of(block.phys(LEAD), LENGTH), DmaDirection.FROM_DEVICE, DmaAttributes.NONE, (address, bytes, kind) -> true);
      }
    });
  }

  private interface Request {
    void map(Rig rig, MemoryBlock block);
  }

  private static void requireKept(Request request) {
    StubbornHost host = new StubbornHost();
    try (Rig rig = rig(host)) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      DmaMappingException refusal = catchThrowableOfType(DmaMappingException.class, () -> request.map(rig, block));
      assertThat(refusal.reason()).isEqualTo(Reason.PIN_LIMIT);
      assertThat(rig.device.tryWrite(host.visible + GRANULE, new byte[] {42})).as("the device reaches the memory").isTrue();
      assertThat(rig.mapper.quarantined()).isEqualTo(1);
      assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
      assertThat(rig.slotsUsed()).as("head and tail").isEqualTo(4);
      assertThat(rig.mapper.releaseQuarantined()).as("still not").isEqualTo(1);
      assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);

      rig.slot.reset();
      rig.slot.busMaster(true);
      host.stubborn = false;
      assertThat(rig.mapper.releaseQuarantined()).isZero();
      assertThat(rig.device.tryWrite(host.visible + GRANULE, new byte[] {43})).isFalse();
      byte[] expected = Rig.patterned(4 * GRANULE, 1);
      expected[GRANULE + LEAD] = 42;
      assertThat(Rig.bytes(block.segment(), 0, 4 * GRANULE)).as("nothing was copied out of slots that the device was never given").isEqualTo(expected);
    }
  }

  @Test
  void aHandleWhoseRequestCouldNotBeUndoneMapsAgainApartFromIt() {
    StubbornHost host = new StubbornHost();
    try (Rig rig = rig(host);
        DmaMapping mapping = rig.mapper.newMapping()) {
      MemoryBlock block = rig.allocate(4 * GRANULE, MemoryPlacement.CONTIGUOUS);
      assertThatThrownBy(() -> mapping.map(block.phys(LEAD), LENGTH, DmaDirection.FROM_DEVICE, DmaAttributes.NONE)).isInstanceOf(DmaMappingException.class);
      host.stubborn = false;
      mapping.map(block.phys(LEAD), LENGTH, DmaDirection.FROM_DEVICE, DmaAttributes.NONE);
      assertThat(mapping.dmaAddress() & -GRANULE).isNotEqualTo(host.visible & -GRANULE);
      byte[] written = Rig.patterned(LENGTH, 7);
      assertThat(rig.device.tryWrite(mapping.dmaAddress(), written)).isTrue();
      assertThat(rig.mapper.releaseQuarantined()).isZero();
      mapping.unmap();
      assertThat(Rig.bytes(block.segment(), LEAD, LENGTH)).isEqualTo(written);
    }
  }
}
