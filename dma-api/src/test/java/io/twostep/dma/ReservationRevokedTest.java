package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import io.twostep.dma.spi.Revocable;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Peer memory behind the host bridge that is linked into a reservation and then taken back. */
class ReservationRevokedTest {
  private static final long PAGE = 4096;

  private final Rig rig = new Rig(Rig.Kind.PEER_TRANSLATING);
  private final Revocable memory = new Revocable("bridge");
  private final FakeBlock bridge = rig.memory.peers(memory, 4);
  private final IovaReservation window = rig.mapper.newReservation();

  ReservationRevokedTest() {
    window.tryAlloc(0, 4 * PAGE, TO_DEVICE, NONE);
    window.link(0, bridge.phys(0), PAGE);
    window.sync(0, PAGE);
  }

  @Test
  void itsTranslationsGoAtOnce() {
    memory.revoke();
    isGone();
  }

  @Test
  @Tag("breaks:bus-address-linked")
  void itsTranslationsGoAtOnceAlsoWhereALinkByBusAddressWasRefused() {
    refused(() -> window.link(PAGE, rig.bus.phys(0), PAGE));
    memory.revoke();
    isGone();
  }

  @Test
  @Tag("breaks:bus-address-linked")
  void itsTranslationsGoAtOnceAlsoWhereRangesByBusAddressWereRefused() {
    refused(() -> window.link(PAGE, Ranges.of(bridge.phys(PAGE), PAGE, rig.bus.phys(0), PAGE)));
    memory.revoke();
    isGone();
  }

  private static void refused(ThrowingCallable link) {
    assertThatThrownBy(link)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.BUS_ADDRESS));
  }

  private void isGone() {
    assertThat(rig.isUnreachable(window.address())).isTrue();
    assertThat(bridge.region.pins()).isZero();
    assertThat(rig.terminal.granulesUsed()).as("the addresses are kept").isEqualTo(4);
    window.destroy();
    assertThat(rig.terminal.granulesUsed()).isZero();
  }
}
