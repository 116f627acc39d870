package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.BounceLayer;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.OpenState;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** How long a stack lives: detach, restack, close, batches and quarantine. */
class StackLifeTest {
  private static final long PAGE = 4096;

  private final Rig rig = new Rig(Rig.Kind.TRANSLATING);
  private final FakeBlock block = rig.allocate(8 * PAGE, MemoryPlacement.CONTIGUOUS);

  private static void refused(Reason reason, Runnable call) {
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(reason));
  }

  @Test
  @Tag("breaks:leaked-mapping")
  void opsAreClosedOnceWithTheLastMapping() {
    DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    DmaTransfer idle = rig.mapper.newTransfer();
    rig.mapper.close();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isZero();
    mapping.unmap();
    assertThat(rig.terminal.closed()).as("nothing is mapped; idle handles hold no stack").isEqualTo(1);
    mapping.close();
    mapping.close();
    idle.close();
    assertThat(rig.terminal.closed()).isEqualTo(1);
  }

  @Test
  @Tag("breaks:used-after-close")
  void idleHandlesNeitherKeepTheStackOfAClosedMapperNorWorkOnIt() {
    DmaMapping mapping = rig.mapper.newMapping();
    IovaReservation window = rig.mapper.newReservation();
    DmaTransfer transfer = rig.mapper.newTransfer();
    DmaMapping used = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    used.unmap();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isEqualTo(1);
    for (DmaMapping each : new DmaMapping[] {mapping, used}) {
      assertThatThrownBy(() -> each.map(block.phys(0), PAGE, TO_DEVICE, NONE)).hasMessageContaining("this mapper was closed");
      assertThatThrownBy(each::unmap).isInstanceOf(IllegalStateException.class);
    }
    refused(Reason.DETACHED, () -> window.tryAlloc(0, PAGE, TO_DEVICE, NONE));
    refused(Reason.DETACHED, () -> transfer.plan(Ranges.of(block.phys(0), PAGE)));
    refused(Reason.DETACHED, () -> transfer.begin(PAGE, TO_DEVICE, NONE));
    refused(Reason.DETACHED, rig.mapper::newMapping);
    used.close();
    assertThatThrownBy(() -> used.map(block.phys(0), PAGE, TO_DEVICE, NONE)).isInstanceOf(IllegalStateException.class);
    assertThat(rig.terminal.closed()).isEqualTo(1);
  }

  @Test
  @Tag("breaks:leaked-mapping")
  void aHandleThatFailsAfterItsMapperClosedHoldsNothingEither() {
    DmaTransfer transfer = rig.mapper.newTransfer();
    assertThat(transfer.map(Ranges.of(block.phys(0), PAGE), TO_DEVICE, NONE, (address, length, kind) -> {
      rig.mapper.close();
      return false;
    })).isEqualTo(-1);
    assertThat(rig.terminal.closed()).isEqualTo(1);
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  @Tag("breaks:freed-memory")
  void anIdleHandleKeepsNoBlockOpenAndHoldsWhatTakesItsPlace() {
    FakeBlock first = rig.allocate(2 * PAGE, MemoryPlacement.CONTIGUOUS);
    long phys = first.phys(0);
    DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
    IovaReservation window = rig.mapper.newReservation();
    window.tryAlloc(0, PAGE, TO_DEVICE, NONE);
    window.link(0, phys + PAGE, PAGE);
    mapping.unmap();
    window.destroy();
    first.close();
    refused(Reason.NOT_BACKED, () -> mapping.map(phys, PAGE, TO_DEVICE, NONE));

    FakeBlock second = rig.allocate(2 * PAGE, MemoryPlacement.CONTIGUOUS);
    assertThat(second.phys(0)).as("where the first one was").isEqualTo(phys);
    mapping.map(phys, PAGE, TO_DEVICE, NONE);
    assertThat(second.region.pins()).as("by the mapping").isEqualTo(1);
    window.tryAlloc(0, PAGE, TO_DEVICE, NONE);
    window.link(0, phys + PAGE, PAGE);
    assertThat(second.region.pins()).as("by the window too").isEqualTo(2);
    assertThatThrownBy(second::close).isInstanceOf(IllegalStateException.class);
    mapping.unmap();
    window.destroy();
    second.close();
    mapping.close();
    window.close();
  }

  @Test
  void handlesOutliveARestackOnTheirOwnStackAndThenMoveToTheNew() {
    DmaMapping mapping = rig.mapper.newMapping();
    mapping.map(block.phys(0), PAGE, BIDIRECTIONAL, NONE);
    DmaMapping idle = rig.mapper.newMapping();
    BounceLayer bounce = new BounceLayer(rig.faults, 16);
    rig.mapper.restack(DmaStack.of(rig.terminal, bounce));
    assertThat(rig.terminal.attached()).isEqualTo(2);
    idle.map(block.phys(PAGE), PAGE, BIDIRECTIONAL, NONE);
    assertThat(bounce.slotsUsed()).as("later mappings use the new stack").isEqualTo(1);
    rig.deviceWrite(mapping.dmaAddress(), (byte) 5);
    assertThat(rig.memory.get(block.phys(0))).as("live ones keep theirs").isEqualTo((byte) 5);
    mapping.unmap();
    assertThat(rig.terminal.closed()).isZero();
    mapping.map(block.phys(0), PAGE, BIDIRECTIONAL, NONE);
    assertThat(bounce.slotsUsed()).isEqualTo(2);
    assertThat(rig.terminal.closed()).as("the old stack went with its last handle").isEqualTo(1);
    rig.mapper.awaitQuiescence();
    mapping.close();
    idle.close();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isEqualTo(2);
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  void aHandleMovesToTheNewStackThoughTheOldOneCannotBeClosed() {
    rig.mapper.restack(DmaStack.of(rig.terminal, new LayerThatCannotBeClosed()));
    DmaMapping mapping = rig.mapper.newMapping();
    rig.mapper.restack(DmaStack.of(rig.terminal));
    assertThatThrownBy(() -> mapping.map(block.phys(0), PAGE, TO_DEVICE, NONE)).hasMessage("cannot be closed");
    mapping.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    mapping.close();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isEqualTo(rig.terminal.attached()).isEqualTo(3);
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  @Tag("breaks:never-mapped+not-memory")
  void aStackHearsOfMistakesWithStatesOfItsOwnOnly() {
    DmaTransfer transfer = rig.mapper.newTransfer();
    transfer.map(Ranges.of(block.phys(0), PAGE), TO_DEVICE, NONE, (address, length, kind) -> true);
    transfer.unmap();
    List<Integer> layers = new ArrayList<>();
    rig.mapper.restack(DmaStack.of(rig.terminal, new LayerThatHearsOfMistakes(layers)));
    refused(Reason.NOT_BACKED, () -> transfer.map(Ranges.of(rig.registers.phys(0), PAGE), TO_DEVICE, NONE, (address, length, kind) -> true));
    assertThatThrownBy(transfer::unmap).isInstanceOf(IllegalStateException.class);
    assertThat(layers).containsExactly(rig.mapper.currentStack().layers);
    transfer.close();
  }

  private record LayerThatHearsOfMistakes(List<Integer> layers) implements LayerBackend {
    @Override
    public String name() {
      return "listener";
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return new ForwardingOps(next) {
        @Override
        public void refused(@Nullable MappingState state, Misuse misuse, String call, long first, long length) {
          if (state != null) {
            layers.add(state.layers());
          }
          super.refused(state, misuse, call, first, length);
        }
      };
    }

    @Override
    public void close() {}
  }

  @Test
  void aFailedRestackLeavesTheOldStack() {
    rig.faults.failAt(1);
    assertThatThrownBy(() -> rig.mapper.restack(DmaStack.of(rig.terminal, new BounceLayer(rig.faults, 4))))
        .isInstanceOf(DmaMappingException.class);
    rig.faults.off();
    assertThat(rig.terminal.closed()).as("what was attached is closed again").isEqualTo(1);
    rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE).close();
  }

  @Test
  void detachReachesHandlesOfEarlierStacksToo() {
    IovaReservation window = rig.mapper.newReservation();
    window.tryAlloc(0, PAGE, TO_DEVICE, NONE);
    rig.mapper.restack(DmaStack.of(rig.terminal));
    assertThat(rig.mapper.detach()).isEqualTo(1);
    assertThat(rig.mapper.detach()).isEqualTo(1);
    refused(Reason.DETACHED, () -> window.link(0, block.phys(0), PAGE));
    refused(Reason.DETACHED, () -> rig.mapper.restack(rig.stack));
    refused(Reason.DETACHED, rig.mapper::newMapping);
    refused(Reason.DETACHED, () -> rig.mapper.allocateCoherent(64));
    window.destroy();
    assertThat(rig.mapper.liveMappings()).isZero();
  }

  @Test
  void aBatchKeepsItsStackOpenUntilItCompletes() {
    InvalidationBatch batch = rig.mapper.newBatch();
    DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    mapping.unmap(batch);
    mapping.close();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isZero();
    assertThat(batch.pending()).isPositive();
    batch.close();
    assertThat(rig.terminal.closed()).isEqualTo(1);
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  void aBatchServesSeveralDevicesOfOneAddressSpaceAndNoOther() {
    DeviceSlot sibling = rig.machine.addSlotBeside("nvme1", rig.slot);
    DeviceSlot stranger = rig.machine.addSlot("nvme2", true);
    DmaMapper second = rig.stack.attach(rig.machine, sibling, DeviceLimits.UNLIMITED);
    DmaMapper third = rig.stack.attach(rig.machine, stranger, DeviceLimits.UNLIMITED);
    DmaMapping one = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    DmaMapping two = second.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    DmaMapping three = third.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    InvalidationBatch batch = rig.mapper.newBatch();
    one.unmap(batch);
    two.unmap(batch);
    assertThatThrownBy(() -> three.unmap(batch))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("space of nvme0")
        .hasMessageContaining("space of nvme2");
    assertThat(three.length()).as("nothing changed").isEqualTo(PAGE);
    batch.complete();
    three.unmap(batch);
    batch.complete();
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  @Tag("breaks:never-mapped")
  void aBatchThatHoldsNothingServesAnyAddressSpace() {
    DmaMapper other = rig.stack.attach(rig.machine, rig.machine.addSlot("nvme2", true), DeviceLimits.UNLIMITED);
    DmaMapping idle = rig.mapper.newMapping();
    DmaMapping mapping = other.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    InvalidationBatch batch = rig.mapper.newBatch();
    assertThatThrownBy(() -> idle.unmap(batch)).isInstanceOf(IllegalStateException.class);
    assertThat(batch.isEmpty()).isTrue();
    mapping.unmap(batch);
    rig.mapper.close();
    assertThat(rig.terminal.closed()).as("the batch holds nothing of the first").isEqualTo(1);
    batch.complete();
    other.close();
    assertThat(rig.terminal.closed()).isEqualTo(2);
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  void aBatchIsStrictForDevicesThatAreGoneAndForNothingAfterThem() {
    DmaMapper gone = rig.stack.attach(rig.machine, rig.machine.addSlotBeside("nvme1", rig.slot), DeviceLimits.UNLIMITED);
    DmaMapping left = gone.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    InvalidationBatch batch = rig.mapper.newBatch();
    gone.detach();
    left.unmap(batch);
    assertThat(batch.retirementFor(mapping.stack()).isDeferrable()).isFalse();
    batch.complete();
    mapping.unmap(batch);
    assertThat(batch.retirementFor(mapping.stack()).isDeferrable()).as("as before").isTrue();
    batch.complete();
  }

  @Test
  void oneBatchIsOneInvalidation() {
    InvalidationBatch batch = rig.mapper.newBatch();
    DmaMapping[] mappings = new DmaMapping[8];
    for (int i = 0; i < 8; i++) {
      mappings[i] = rig.mapper.map(block.phys(i * PAGE), PAGE, TO_DEVICE, NONE);
    }
    for (DmaMapping mapping : mappings) {
      mapping.unmap(batch);
    }
    rig.faults.failAt(1);
    batch.complete();
    assertThat(rig.faults.hasFailed()).as("a second invalidation").isFalse();
    assertThat(rig.terminal.granulesUsed()).isZero();
  }

  @Test
  void whatCannotBeInvalidatedIsQuarantinedUntilItCan() {
    DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    long address = mapping.dmaAddress();
    rig.faults.failAt(1);
    assertThatThrownBy(mapping::unmap)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED));
    rig.faults.off();
    assertThat(rig.isUnreachable(address)).as("the device may still reach it").isFalse();
    assertThat(rig.mapper.quarantined()).isEqualTo(1);
    assertThat(rig.mapper.liveMappings()).as("the handle is idle").isZero();
    assertThatThrownBy(block::close).as("memory stays pinned").isInstanceOf(IllegalStateException.class);
    mapping.map(block.phys(PAGE), PAGE, TO_DEVICE, NONE);
    assertThat(mapping.dmaAddress()).as("nothing is reused").isNotEqualTo(address);
    mapping.close();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).as("the stack is still needed").isZero();
    rig.faults.failAt(0);
    assertThat(rig.mapper.releaseQuarantined()).as("still not").isEqualTo(1);
    rig.faults.off();
    assertThat(rig.mapper.releaseQuarantined()).isZero();
    assertThat(rig.isUnreachable(address)).isTrue();
    assertThat(rig.terminal.granulesUsed()).isZero();
    assertThat(rig.terminal.closed()).isEqualTo(1);
    block.close();
  }

  @Test
  void whatIsReleasedFromQuarantineIsReleasedOnceThoughItsStackCannotBeClosed() {
    rig.mapper.restack(DmaStack.of(rig.terminal, new LayerThatCannotBeClosed()));
    DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    rig.faults.failAt(1);
    refused(Reason.QUARANTINED, mapping::unmap);
    rig.faults.off();
    rig.mapper.close();
    assertThatThrownBy(rig.mapper::releaseQuarantined).hasMessage("cannot be closed");
    assertThat(rig.memory.pins()).isZero();
    assertThat(rig.mapper.quarantined()).isZero();
    assertThat(rig.mapper.releaseQuarantined()).isZero();
    block.close();
  }

  @Test
  void aMapperTakesTheirStacksFromAllIdleHandlesThoughSeveralCannotBeClosed() {
    for (int i = 0; i < 3; i++) {
      rig.mapper.restack(DmaStack.of(rig.terminal, new LayerThatCannotBeClosed()));
      rig.mapper.newMapping();
    }
    rig.mapper.restack(DmaStack.of(rig.terminal));
    assertThatThrownBy(rig.mapper::close).hasMessage("cannot be closed").satisfies(e -> assertThat(e.getSuppressed()).hasSize(2));
    assertThat(rig.terminal.closed()).isEqualTo(rig.terminal.attached()).isEqualTo(5);
  }

  @Test
  void aBatchLetsGoOfAllItsStacksThoughSeveralCannotBeClosed() {
    InvalidationBatch batch = rig.mapper.newBatch();
    for (int i = 0; i < 3; i++) {
      rig.mapper.restack(DmaStack.of(rig.terminal, new LayerThatCannotBeClosed()));
      try (DmaMapping mapping = rig.mapper.map(block.phys(i * PAGE), PAGE, TO_DEVICE, NONE)) {
        mapping.unmap(batch);
      }
    }
    rig.mapper.restack(DmaStack.of(rig.terminal));
    assertThatThrownBy(batch::close).hasMessage("cannot be closed").satisfies(e -> assertThat(e.getSuppressed()).hasSize(2));
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isEqualTo(rig.terminal.attached()).isEqualTo(5);
    assertThat(rig.memory.pins()).isZero();
    batch.close();
  }

  @Test
  void whatABatchCouldNotProveAwayStaysHeldAfterAnErrorToo() {
    InvalidationBatch batch = rig.mapper.newBatch();
    try (DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE)) {
      mapping.unmap(batch);
    }
    rig.faults.errorAt(0);
    assertThat(catchThrowable(batch::complete)).isInstanceOf(Error.class);
    rig.faults.off();
    assertThat(rig.memory.pins()).as("while the device may reach it").isOne();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).as("the batch needs its stack").isZero();
    batch.close();
    assertThat(rig.memory.pins()).isZero();
    assertThat(rig.terminal.closed()).isOne();
  }

  @Test
  void aRefusalOfALayerIsToldThoughWhatIsBelowCannotBeClosed() {
    LayerBackend closed = new LayerBackend() {
      private final OpenState open = new OpenState();

      @Override
      public String name() {
        return "gone";
      }

      @Override
      public DmaOps attach(AttachContext context, DmaOps next) {
        open.requireOpen(this, context);
        return next;
      }

      @Override
      public void close() {
        open.close();
      }
    };
    closed.close();
    assertThatThrownBy(() -> rig.mapper.restack(DmaStack.of(rig.terminal, closed, new LayerThatCannotBeClosed())))
        .hasMessageContaining("layer gone is closed")
        .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isEqualTo(rig.terminal.attached()).isEqualTo(2);
  }

  private static final class LayerThatCannotBeClosed implements LayerBackend {
    @Override
    public String name() {
      return "stubborn";
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return new ForwardingOps(next) {
        @Override
        public void close() {
          super.close();
          throw new IllegalStateException("cannot be closed");
        }
      };
    }

    @Override
    public void close() {}
  }

  @Test
  void memoryOfOtherLinksStaysHeldWhenAnUnlinkIsQuarantined() {
    IovaReservation window = rig.mapper.newReservation();
    window.tryAlloc(0, 2 * PAGE, TO_DEVICE, NONE);
    window.link(0, block.phys(0), PAGE);
    window.link(PAGE, block.phys(PAGE), PAGE);
    window.sync(0, 2 * PAGE);
    rig.faults.failAt(1);
    refused(Reason.QUARANTINED, () -> window.unlink(0, PAGE));
    rig.faults.off();
    window.unlink(PAGE, PAGE);
    window.free();
    assertThat(rig.mapper.quarantined()).isEqualTo(1);
    assertThat(block.region.pins()).isPositive();
    rig.mapper.releaseQuarantined();
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  void aBatchHoldsTheMemoryOfWhatWasUnlinkedWithIt() {
    InvalidationBatch batch = rig.mapper.newBatch();
    IovaReservation window = rig.mapper.newReservation();
    window.tryAlloc(0, 2 * PAGE, TO_DEVICE, NONE);
    window.link(0, block.phys(0), PAGE);
    window.link(PAGE, block.phys(PAGE), PAGE);
    window.sync(0, 2 * PAGE);
    window.unlink(0, PAGE, batch);
    window.unlink(PAGE, PAGE);
    assertThat(rig.isUnreachable(window.address())).as("the device may still reach it").isFalse();
    assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
    batch.complete();
    block.close();
    window.free();
  }

  @Test
  void aFailedBatchQuarantinesAllOfItAndCanBeUsedAgain() {
    InvalidationBatch batch = rig.mapper.newBatch();
    DmaMapping mapping = rig.mapper.newMapping();
    mapping.map(block.phys(0), PAGE, TO_DEVICE, NONE).unmap(batch);
    rig.faults.failAt(0);
    refused(Reason.QUARANTINED, batch::complete);
    rig.faults.off();
    assertThat(batch.isEmpty()).isTrue();
    assertThat(block.region.pins()).isEqualTo(1);
    mapping.map(block.phys(0), PAGE, TO_DEVICE, NONE).unmap(batch);
    batch.complete();
    assertThat(block.region.pins()).isEqualTo(1);
    assertThat(rig.mapper.releaseQuarantined()).isZero();
    assertThat(block.region.pins()).isZero();
  }

  @Test
  @Tag("breaks:used-after-close")
  void aCoherentBufferThatCannotBeTakenBackIsFreedAfterTheReset() {
    DmaBuffer buffer = rig.mapper.allocateCoherent(100);
    int blocks = rig.memory.blocks().size();
    rig.faults.failAt(1);
    refused(Reason.QUARANTINED, buffer::close);
    rig.faults.off();
    assertThat(rig.memory.blocks()).hasSize(blocks);
    rig.mapper.releaseQuarantined();
    assertThat(rig.memory.blocks()).hasSize(blocks - 1);
    assertThatThrownBy(buffer::segment).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void mappersCountWhatIsLive() {
    DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
    DmaBuffer buffer = rig.mapper.allocateCoherent(1);
    rig.mapper.newTransfer();
    assertThat(rig.mapper.liveMappings()).isEqualTo(2);
    assertThat(rig.mapper.detach()).isEqualTo(2);
    mapping.close();
    buffer.close();
    assertThat(rig.mapper.liveMappings()).isZero();
  }

  @Test
  @Tag("unchecked")
  void attachFailsWholeWhenALayerRefuses() {
    rig.faults.failAt(2);
    int attached = rig.terminal.attached();
    DmaStack two = DmaStack.of(rig.terminal, new BounceLayer(rig.faults, 2), new BounceLayer(rig.faults, 2));
    assertThatThrownBy(() -> two.attach(rig.machine, "nvme0", DeviceLimits.UNLIMITED)).isInstanceOf(DmaMappingException.class);
    assertThat(rig.terminal.attached() - attached).isEqualTo(rig.terminal.closed());
    assertThatThrownBy(() -> two.attach(rig.machine, "nowhere", DeviceLimits.UNLIMITED))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("nvme0");
    assertThat(two).hasToString("fake-bounce+fake-bounce+fake-iommu");
  }
}
