package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Linking a whole source into a reservation: one behind the other, all or nothing. */
class LinkRangesTest {
  private static final long PAGE = 4096;
  private static final int PAGES = 600;

  private final Rig rig = new Rig(Rig.Kind.PEER_TRANSLATING);
  private final FakeBlock block = rig.allocate(PAGES * PAGE, MemoryPlacement.SCATTERED);
  private final IovaReservation window = rig.mapper.newReservation();

  @Test
  void rangesLieOneBehindTheOther() {
    window.tryAlloc(block.phys(0), PAGES * PAGE, TO_DEVICE, NONE);
    assertThat(window.link(0, block.ranges())).as("bytes, in more than one run").isEqualTo(PAGES * PAGE);
    for (int i = 0; i < PAGES; i++) {
      rig.memory.put(block.phys(i * PAGE + 7), (byte) i);
    }
    window.sync(0, PAGES * PAGE);
    for (int i = 0; i < PAGES; i++) {
      assertThat(rig.deviceRead(window.address() + i * PAGE + 7)).isEqualTo((byte) i);
    }
    window.unlink(0, PAGES * PAGE);
    window.free();
    assertThat(rig.memory.pins()).isZero();
  }

  @Test
  @Tag("breaks:misaligned-link")
  void onlyTheFirstMayStartAndTheLastEndOffTheGranule() {
    window.tryAlloc(block.phys(100), 3 * PAGE, TO_DEVICE, NONE);
    assertThat(window.link(0, Ranges.of(block.phys(100), PAGE - 100, block.phys(2 * PAGE), 5))).isEqualTo(PAGE - 95);
    assertThat(window.link(2 * PAGE - 100, new Ranges())).isZero();
    String before = rig.accounts();
    refused(Reason.MISALIGNED, 2 * PAGE - 100, Ranges.of(block.phys(0), 8, block.phys(PAGE + 8), 8));
    assertThat(rig.accounts()).isEqualTo(before);
  }

  @Test
  @Tag("breaks:freed-while-linked")
  void whatAFailedCallCannotTakeOutAgainStaysLinkedAndHeld() {
    window.tryAlloc(0, PAGES * PAGE, TO_DEVICE, NONE);
    rig.faults.failFrom(2);
    Throwable failure = catchThrowable(() -> window.link(0, block.ranges()));
    rig.faults.off();
    assertThat(failure).hasMessageContaining("injected failure of layer linkRun");
    assertThat(failure.getSuppressed()).singleElement().asString().contains("injected failure of layer unlink");

    window.sync(0, PAGES * PAGE);
    assertThat(rig.deviceRead(window.address())).as("still there").isZero();
    assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(window::free).isInstanceOf(IllegalStateException.class).hasMessageContaining("256 granules are still linked");
    window.unlink(0, 256 * PAGE);
    assertThat(rig.memory.pins()).isZero();
    window.free();
    assertThat(rig.accounts()).startsWith("pins 0, granules 0, slots 0, runs 0, live 0, quarantined 0,");
  }

  @Test
  @Tag("breaks:bus-address-linked+outside-window")
  void aFailureInALaterRunLeavesNothingLinked() {
    window.tryAlloc(0, (PAGES + 1) * PAGE, TO_DEVICE, NONE);
    String before = rig.accounts();
    Ranges source = new Ranges();
    for (int i = 0; i < PAGES; i++) {
      source.add(block.phys(i * PAGE), PAGE);
    }
    refused(Reason.BUS_ADDRESS, 0, source.add(rig.bus.phys(0), PAGE));
    assertThat(rig.accounts()).isEqualTo(before);
    assertThatThrownBy(() -> window.link(2 * PAGE, block.ranges())).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> window.link(-1, block.ranges())).isInstanceOf(IllegalArgumentException.class);
    assertThat(rig.accounts()).isEqualTo(before);
    assertThat(window.link(PAGE, block.ranges())).isEqualTo(PAGES * PAGE);
    window.destroy();
    assertThat(rig.memory.pins()).isZero();
  }

  private void refused(Reason reason, long offset, PhysRanges source) {
    assertThatThrownBy(() -> window.link(offset, source))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).as(e.getMessage()).isEqualTo(reason));
  }
}
