package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.PeerLayer;
import io.twostep.dma.fake.Rig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The mapper's side of dirty tracking: who may start it, how long it lives, what it refuses. */
class DirtyTrackingTest {
  private static final long PAGE = 4096;

  @ParameterizedTest
  @EnumSource(Rig.Kind.class)
  void isOfferedWhereTranslationSeesEveryWrite(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    boolean tracks = kind == Rig.Kind.TRANSLATING || kind == Rig.Kind.BOUNCE_TRANSLATING;
    assertThat(rig.mapper.limits().dirtyTracking()).isEqualTo(tracks);
    if (tracks) {
      assertThat(rig.mapper.dirtyTracking()).isSameAs(rig.mapper.dirtyTracking());
    } else {
      DmaMappingException e = catchThrowableOfType(DmaMappingException.class, rig.mapper::dirtyTracking);
      assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED);
      assertThat(e).hasMessageContaining("nvme0");
    }
    rig.mapper.close();
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "BOUNCE_TRANSLATING"})
  void writesAreReportedAtTheMappingsAddressWhetherBouncedOrNot(Rig.Kind kind) {
    Rig rig = new Rig(kind);
    FakeBlock block = rig.allocate(2 * PAGE, MemoryPlacement.CONTIGUOUS);
    DirtyTracking tracking = rig.mapper.dirtyTracking();
    tracking.start();
    DmaMapping mapping = rig.mapper.map(block.phys(0), 2 * PAGE, FROM_DEVICE, NONE);
    rig.deviceWrite(mapping.dmaAddress() + PAGE, (byte) 7);
    DirtyBitmap bitmap = new DirtyBitmap(mapping.dmaAddress() & -PAGE, 4 * PAGE, PAGE);
    tracking.read(bitmap);
    assertThat(bitmap.isDirty(mapping.dmaAddress() + PAGE)).isTrue();
    assertThat(bitmap.isDirty(mapping.dmaAddress())).isFalse();
    tracking.readAndClear(bitmap);
    bitmap.clear();
    tracking.read(bitmap);
    assertThat(bitmap.dirtyPages()).isZero();
    mapping.close();
    rig.mapper.close();
  }

  @Test
  void startsOnceAndReadsOnlyWhileItRuns() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    DirtyTracking tracking = rig.mapper.dirtyTracking();
    DirtyBitmap bitmap = new DirtyBitmap(0, PAGE, PAGE);
    assertThatThrownBy(() -> tracking.read(bitmap)).isInstanceOf(IllegalStateException.class).hasMessageContaining("nvme0").hasMessageContaining("start()");
    assertThatThrownBy(() -> tracking.readAndClear(bitmap)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(tracking::granularity).isInstanceOf(IllegalStateException.class);
    tracking.start();
    assertThatThrownBy(tracking::start).isInstanceOf(IllegalStateException.class).hasMessageContaining("tracking already");
    assertThat(tracking.granularity()).isEqualTo(PAGE);
    assertThat(tracking.isTracking()).isTrue();
    tracking.stop();
    tracking.stop();
    assertThat(tracking.isTracking()).isFalse();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isEqualTo(1);
  }

  @Test
  void failedStartHoldsNothing() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    DirtyTracking tracking = rig.mapper.dirtyTracking();
    rig.faults.failAt(0);
    assertThatThrownBy(tracking::start).isInstanceOf(RuntimeException.class);
    rig.faults.off();
    assertThat(tracking.isTracking()).isFalse();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isEqualTo(1);
  }

  @Test
  void detachLeavesMarksReadableAndCloseStops() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    DirtyTracking tracking = rig.mapper.dirtyTracking();
    tracking.start();
    rig.mapper.detach();
    tracking.read(new DirtyBitmap(0, PAGE, PAGE));
    rig.mapper.close();
    assertThat(tracking.isTracking()).isFalse();
    assertThat(rig.terminal.closed()).isEqualTo(1);
    assertThat(catchThrowableOfType(DmaMappingException.class, tracking::start).reason()).isEqualTo(Reason.DETACHED);
  }

  @Test
  void closeLetsGoOfIdleHandlesAlsoWhereStoppingFails() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    DmaMapping idle = rig.mapper.newMapping();
    rig.mapper.dirtyTracking().start();
    rig.faults.failAt(0);
    assertThatThrownBy(rig.mapper::close).hasMessageContaining("injected failure of untrack");
    rig.faults.off();
    assertThat(rig.terminal.closed()).as("idle handles need not be closed").isEqualTo(1);
    idle.close();
    assertThat(rig.terminal.closed()).isEqualTo(1);
  }

  @Test
  void stackWhoseWritesWouldEscapeIsRefusedWhileTracking() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    DirtyTracking tracking = rig.mapper.dirtyTracking();
    tracking.start();
    DmaStack blind = DmaStack.of(rig.terminal, new PeerLayer(rig.faults));
    assertThat(catchThrowableOfType(DmaMappingException.class, () -> rig.mapper.restack(blind)).reason()).isEqualTo(Reason.UNSUPPORTED);
    rig.mapper.restack(rig.stack);
    assertThat(tracking.isTracking()).isTrue();
    tracking.stop();
    rig.mapper.restack(blind);
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isEqualTo(rig.terminal.attached());
  }

  @Test
  void whatIsStillMappedThroughABlindStackKeepsTrackingFromBeginning() {
    Rig rig = new Rig(Rig.Kind.PEER_TRANSLATING);
    DmaMapping idle = rig.mapper.newMapping();
    DmaMapping mapping = rig.mapper.map(rig.bus.phys(0), PAGE, FROM_DEVICE, NONE);
    rig.mapper.restack(DmaStack.of(rig.terminal));
    DirtyTracking tracking = rig.mapper.dirtyTracking();
    DmaMappingException e = catchThrowableOfType(DmaMappingException.class, tracking::start);
    assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED);
    assertThat(e).hasMessageContaining("nvme0").hasMessageContaining("unmap");
    assertThat(tracking.isTracking()).isFalse();

    DmaMapper sibling = DmaStack.of(rig.terminal).attach(rig.machine, rig.machine.addSlotBeside("nvme1", rig.slot), DeviceLimits.UNLIMITED);
    sibling.dirtyTracking().start();
    assertThat(catchThrowableOfType(DmaMappingException.class, () -> tracking.tryJoin(sibling.dirtyTracking())).reason())
        .isEqualTo(Reason.UNSUPPORTED);
    mapping.close();
    assertThat(tracking.tryJoin(sibling.dirtyTracking())).as("idle handles move to the new stack").isTrue();
    idle.close();
    rig.mapper.close();
    sibling.close();
    assertThat(rig.terminal.closed()).isEqualTo(rig.terminal.attached());
  }

  @Test
  void mappersOfDifferentAddressSpacesDoNotJoin() {
    Rig rig = new Rig(Rig.Kind.TRANSLATING);
    Rig other = new Rig(Rig.Kind.TRANSLATING);
    rig.mapper.dirtyTracking().start();
    assertThat(other.mapper.dirtyTracking().tryJoin(rig.mapper.dirtyTracking())).isFalse();
    other.mapper.dirtyTracking().start();
    other.mapper.close();
    assertThat(catchThrowableOfType(DmaMappingException.class, () -> other.mapper.dirtyTracking().tryJoin(rig.mapper.dirtyTracking())).reason()).isEqualTo(Reason.DETACHED);
    assertThat(rig.mapper.dirtyTracking().isTracking()).isTrue();
    rig.mapper.close();
    assertThat(rig.terminal.closed()).isEqualTo(1);
    assertThat(other.terminal.closed()).isEqualTo(1);
  }
}
