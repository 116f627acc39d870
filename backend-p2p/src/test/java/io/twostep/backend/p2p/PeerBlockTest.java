package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.LinearMapping;
import io.twostep.dma.LinearPolicy;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.SparseWindow;
import io.twostep.machine.model.FailNth;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A piece of peer memory is not given back below a device, whatever holds it, and what is mapped is not given out. */
class PeerBlockTest {
  private static final int PAGE = Rig.PAGE;

  /** Every way to hold a piece, and to let go of it. */
  private enum Way {
    MAPPING {
      @Override
      AutoCloseable hold(Rig rig, long phys, long length) {
        return rig.mapper.map(phys, length, BIDIRECTIONAL, NONE);
      }
    },
    TRANSFER {
      @Override
      AutoCloseable hold(Rig rig, long phys, long length) {
        DmaTransfer transfer = rig.mapper.newTransfer();
        transfer.map(PhysRanges.of(phys, length), BIDIRECTIONAL, NONE, new Entries());
        return transfer;
      }
    },
    LINEAR {
      @Override
      AutoCloseable hold(Rig rig, long phys, long length) {
        LinearMapping linear = rig.mapper.newLinear();
        linear.map(PhysRanges.of(phys, length), BIDIRECTIONAL, NONE, LinearPolicy.IN_PLACE);
        return linear;
      }
    },
    RESERVATION {
      @Override
      AutoCloseable hold(Rig rig, long phys, long length) {
        IovaReservation reservation = rig.mapper.newReservation();
        reservation.tryAlloc(0, length, BIDIRECTIONAL, NONE);
        reservation.link(0, phys, length);
        return reservation;
      }
    },
    WINDOW {
      @Override
      AutoCloseable hold(Rig rig, long phys, long length) {
        SparseWindow window = rig.mapper.newWindow(length, PAGE, BIDIRECTIONAL, NONE);
        window.link(0, phys, length, BIDIRECTIONAL);
        return window;
      }
    },
    BATCH {
      @Override
      AutoCloseable hold(Rig rig, long phys, long length) {
        InvalidationBatch batch = rig.mapper.newBatch();
        SparseWindow window = rig.mapper.newWindow(length, PAGE, BIDIRECTIONAL, NONE);
        window.link(0, phys, length, BIDIRECTIONAL);
        window.unlink(0, length, batch);
        window.close();
        return batch::complete;
      }
    },
    EXPORT {
      @Override
      AutoCloseable hold(Rig rig, long phys, long length) {
        return ExportedBuffer.of(rig.seen, "frame", PhysRanges.of(phys, length));
      }
    },
    QUARANTINE {
      @Override
      AutoCloseable hold(Rig rig, long phys, long length) {
        DmaMapping mapping = rig.mapper.map(phys, length, BIDIRECTIONAL, NONE);
        rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
        assertThatThrownBy(mapping::close).isInstanceOf(DmaMappingException.class);
        return () -> {
          rig.slot.reset();
          assertThat(rig.mapper.releaseQuarantined()).isZero();
        };
      }
    };

    abstract AutoCloseable hold(Rig rig, long phys, long length);
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void aPieceIsNotGivenBackWhileItIsHeld(Way way) throws Exception {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      PeerBlock before = rig.behindMemory.allocate(2 * PAGE);
      PeerBlock block = rig.behindMemory.allocate(4 * PAGE);
      PeerBlock after = rig.behindMemory.allocate(2 * PAGE);
      AutoCloseable held = way.hold(rig, block.phys() + PAGE, 2 * PAGE);
      assertThatThrownBy(block::close)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("0000:10:00.0 BAR 2")
          .hasMessageContaining("0x2000+0x4000")
          .hasMessageContaining("unmap");
      before.close();
      after.close();
      assertThat(rig.behindMemory.allocations()).as("its neighbours are").isEqualTo(1);
      held.close();
      block.close();
      block.close();
      assertThat(rig.behindMemory.allocations()).isZero();
      assertThat(rig.behindMemory.largestFree()).isEqualTo(rig.behindMemory.length());
    }
  }

  @ParameterizedTest
  @EnumSource(Way.class)
  void whatIsMappedWithoutBeingAllocatedIsNotGivenOut(Way way) throws Exception {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      long length = rig.behindMemory.length();
      PeerBlock first = rig.behindMemory.allocate(PAGE);
      AutoCloseable held = way.hold(rig, rig.behindMemory.phys() + 8 * PAGE, 2 * PAGE);
      PeerBlock before = rig.behindMemory.allocate(7 * PAGE);
      PeerBlock after = rig.behindMemory.allocate(length - 10 * PAGE);
      assertThat(new long[] {before.offset(), after.offset()}).as("beside what is mapped").containsExactly(PAGE, 10 * PAGE);
      assertThatThrownBy(() -> rig.behindMemory.allocate(PAGE))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED))
          .hasMessageContaining("unmap");
      held.close();
      PeerBlock between = rig.behindMemory.allocate(2 * PAGE);
      assertThat(between.offset()).isEqualTo(8 * PAGE);
      between.close();
      before.close();
      after.close();
      rig.behindMemory.allocate(length - PAGE).close();
      first.close();
    }
  }

  @Test
  void aRangeOverSeveralPiecesHoldsThemAll() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      PeerBlock one = rig.nearMemory.allocate(PAGE);
      PeerBlock two = rig.nearMemory.allocate(PAGE);
      PeerBlock three = rig.nearMemory.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(one.phys() + PAGE - 1, PAGE + 2, BIDIRECTIONAL, NONE);
      for (PeerBlock block : new PeerBlock[] {one, two, three}) {
        assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
      }
      mapping.close();
      one.close();
      two.close();
      three.close();
    }
  }

  @Test
  void unitsOfAWindowHoldTheirOwnPiecesOnly() {
    try (Rig rig = new Rig(Kind.IOMMU);
        SparseWindow window = rig.mapper.newWindow(8 * PAGE, 2 * PAGE, BIDIRECTIONAL, NONE)) {
      PeerBlock one = rig.behindMemory.allocate(2 * PAGE, 2 * PAGE);
      PeerBlock two = rig.behindMemory.allocate(PAGE, 2 * PAGE);
      PeerBlock three = rig.behindMemory.allocate(PAGE);
      window.link(0, one.phys(), 2 * PAGE, BIDIRECTIONAL);
      window.link(2 * PAGE, one.phys(), 4 * PAGE, BIDIRECTIONAL);
      window.unlink(2 * PAGE, 2 * PAGE);
      assertThatThrownBy(one::close).as("linked elsewhere").isInstanceOf(IllegalStateException.class);
      window.unlink(0, 2 * PAGE);
      one.close();
      assertThatThrownBy(two::close).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(three::close).as("the rest of the unit").isInstanceOf(IllegalStateException.class);
      window.unlink(4 * PAGE, 2 * PAGE);
      two.close();
      three.close();
    }
  }

  @Test
  void aRequestThatFailsHoldsNoPiece() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaTransfer transfer = rig.mapper.newTransfer();
        SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE)) {
      PeerBlock block = rig.behindMemory.allocate(2 * PAGE);
      assertThat(transfer.map(PhysRanges.of(block.phys(), PAGE), BIDIRECTIONAL, NONE, (dmaAddress, length, kind) -> false)).isEqualTo(-1);
      assertThat(window.link(0, PhysRanges.of(block.phys(), PAGE), BIDIRECTIONAL, (dmaAddress, length, kind) -> false)).isEqualTo(-1);
      assertThatThrownBy(() -> window.link(0, TestRanges.of(block.phys(), PAGE, rig.farMemory.phys(), PAGE), BIDIRECTIONAL, null))
          .isInstanceOf(DmaMappingException.class);
      block.close();
    }
  }
}
