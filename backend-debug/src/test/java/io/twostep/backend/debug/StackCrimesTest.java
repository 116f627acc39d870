package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaAttributes.REQUIRE_COHERENT;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.debug.BrokenLayer.Fault;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers below the checker that break the contract. */
class StackCrimesTest {
  private static final long PAGE = Rig.PAGE;

  @ParameterizedTest
  @CsvSource({
    "SHIFTED_ADDRESS, BELOW_NOT_CONGRUENT",
    "WRONG_LENGTH, BELOW_WRONG_LENGTH",
    "TOO_LITTLE, BELOW_ALLOCATED_TOO_LITTLE",
    "DROPPED_FLAGS, BELOW_CLEARED_FLAGS"
  })
  void wrongAnswersOfMapAreReported(Fault fault, Rule rule) {
    BrokenLayer broken = new BrokenLayer(fault, true);
    try (Rig rig = Rig.translated(broken)) {
      MemoryBlock block = rig.allocate(PAGE);
      Rig.ignore(rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE));
      rig.one(rule, true);
    }
  }

  @Test
  void addressesBeyondTheDevicesReachAreReported() {
    BrokenLayer broken = new BrokenLayer(Fault.FAR_ADDRESS, true);
    try (Rig rig = new Rig(true, Rig.QUIET, SlotOptions.DEFAULT, DeviceLimits.ofBits(40), broken)) {
      Rig.ignore(rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE));
      rig.only(Rule.BELOW_OUT_OF_REACH, true);
    }
  }

  @Test
  void reservedAddressesAreReported() {
    BrokenLayer broken = new BrokenLayer(Fault.SAME_ADDRESS, true);
    try (Rig rig = Rig.translated(broken)) {
      AddressRange reserved = rig.machine.addressSpaceFor(rig.slot).reserved().getFirst();
      broken.answerAddress(reserved.first());
      Rig.ignore(rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE));
      rig.only(Rule.BELOW_RESERVED_ADDRESS, true);
    }
  }

  @Test
  void addressesOfALiveMappingAreReported() {
    BrokenLayer broken = new BrokenLayer(Fault.SAME_ADDRESS, true);
    try (Rig rig = Rig.translated(broken)) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      DmaMapping first = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      broken.answerAddress(first.dmaAddress());
      Rig.ignore(rig.mapper.map(block.phys(PAGE), PAGE, TO_DEVICE, NONE));
      rig.only(Rule.BELOW_ADDRESS_TAKEN, true);
    }
  }

  @Test
  void addressesWhoseInvalidationIsNotCompleteAreReported() {
    BrokenLayer broken = new BrokenLayer(Fault.SAME_ADDRESS, true);
    try (Rig rig = Rig.translated(broken)) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      DmaMapping first = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      broken.answerAddress(first.dmaAddress());
      first.unmap(rig.mapper.newBatch());
      Rig.ignore(rig.mapper.map(block.phys(PAGE), PAGE, TO_DEVICE, NONE));
      assertThat(rig.only(Rule.BELOW_ADDRESS_REUSED_EARLY, true).text(8)).contains("earlier: unmapped");
    }
  }

  @Test
  void syncForWhatMustBeCoherentIsReported() {
    try (Rig rig = Rig.translated(new BrokenLayer(Fault.CLAIMS_SYNC, true))) {
      Rig.ignore(rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, REQUIRE_COHERENT));
      rig.only(Rule.BELOW_IGNORED_COHERENCE, true);
    }
  }

  @Test
  void noSyncForADeviceThatDoesNotSnoopIsReported() {
    BrokenLayer broken = new BrokenLayer(Fault.FORGETS_SYNC, true);
    try (Rig rig = new Rig(true, Rig.QUIET, SlotOptions.DEFAULT.withCoherent(false), DeviceLimits.UNLIMITED, broken)) {
      Rig.ignore(rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE));
      rig.only(Rule.BELOW_NO_SYNC_ASKED, true);
    }
  }

  @Test
  void foreignBytesShownToAnUntrustedDeviceAreReported() {
    BrokenLayer careless = new BrokenLayer(Fault.EXPOSES_EDGES, true);
    try (Rig rig = new Rig(true, Rig.QUIET, SlotOptions.DEFAULT.withTrusted(false), DeviceLimits.UNLIMITED, careless)) {
      Rig.ignore(rig.mapper.map(rig.allocate(PAGE).phys(64), 256, TO_DEVICE, NONE));
      rig.only(Rule.BELOW_EXPOSED_NEIGHBOURS, true);
    }
  }

  @Test
  void exceptionsThatTheContractDoesNotKnowAreReported() {
    try (Rig rig = Rig.translated(new BrokenLayer(Fault.WRONG_EXCEPTION, true))) {
      long phys = rig.allocate(PAGE).phys(0);
      assertThatThrownBy(() -> rig.mapper.map(phys, PAGE, TO_DEVICE, NONE)).isInstanceOf(UnsupportedOperationException.class);
      assertThat(rig.only(Rule.BELOW_WRONG_EXCEPTION, false).detail()).contains("not today");
    }
  }

  @Test
  void wrongPhysicalAddressesBehindALinkAreReported() {
    try (Rig rig = Rig.translated(new BrokenLayer(Fault.WRONG_PHYS, true))) {
      window(rig).link(0, rig.allocate(PAGE).phys(0), PAGE);
      rig.one(Rule.BELOW_PHYS_WRONG, true);
    }
  }

  @Test
  void memoryStillFoundAfterUnlinkIsReported() {
    try (Rig rig = Rig.translated(new BrokenLayer(Fault.STILL_LINKED, true))) {
      IovaReservation window = window(rig);
      window.link(0, rig.allocate(PAGE).phys(0), PAGE);
      window.unlink(0, PAGE);
      rig.only(Rule.BELOW_STILL_LINKED, true);
    }
  }

  @Test
  void acceptedOverlapsAreReported() {
    BrokenLayer broken = new BrokenLayer(Fault.ACCEPTS_OVERLAP);
    try (Rig rig = Rig.translated(broken)) {
      IovaReservation window = window(rig);
      long phys = rig.allocate(PAGE).phys(0);
      window.link(0, phys, PAGE);
      broken.begin();
      window.link(0, phys, PAGE);
      rig.one(Rule.LINK_OVERLAPS, true);
      rig.one(Rule.BELOW_ACCEPTED_MISUSE, true);
    }
  }

  @Test
  void linksThatStayAfterAFailureAreReported() {
    BrokenLayer broken = new BrokenLayer(Fault.CHANGED_ON_FAILURE, true);
    try (Rig rig = Rig.translated(broken)) {
      IovaReservation window = window(rig);
      long phys = rig.allocate(PAGE).phys(0);
      assertThatThrownBy(() -> window.link(0, phys, PAGE)).isInstanceOf(DmaMappingException.class);
      rig.only(Rule.BELOW_CHANGED_ON_FAILURE, true);
    }
  }

  @Test
  void piecesThatCannotBeSplitShowTheLink() {
    try (Rig rig = Rig.translated(new BrokenLayer(Fault.CANNOT_SPLIT, true))) {
      IovaReservation window = window(rig);
      window.link(0, rig.allocate(2 * PAGE).phys(0), 2 * PAGE);
      assertThatThrownBy(() -> window.unlink(0, PAGE)).isInstanceOf(DmaMappingException.class);
      rig.only(Rule.UNLINK_SPLITS, true);
    }
  }

  @Test
  void geometryThatCannotBeIsReported() {
    try (Rig rig = Rig.translated(new BrokenLayer(Fault.BAD_UNIT, true))) {
      rig.only(Rule.BELOW_BAD_GEOMETRY, false);
    }
  }

  @Test
  void geometryThatChangesIsReported() {
    BrokenLayer broken = new BrokenLayer(Fault.OTHER_GRANULE);
    try (Rig rig = Rig.translated(broken)) {
      broken.begin();
      Rig.ignore(rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE));
      rig.only(Rule.BELOW_GEOMETRY_CHANGED, false);
    }
  }

  @Test
  void overwrittenWordsAreReported() {
    BrokenLayer broken = new BrokenLayer(Fault.OVERWRITES_WORD, true);
    try (Rig rig = Rig.translated(broken)) {
      DmaMapping mapping = rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE);
      broken.overwrite();
      mapping.close();
      rig.only(Rule.STATE_WORD_OVERWRITTEN, true);
    }
  }

  @Test
  void translationsThatGetLostAreReported() {
    BrokenLayer broken = new BrokenLayer(Fault.LOSES_TRANSLATION, true);
    try (Rig rig = Rig.translated(broken)) {
      SparseWindow window = rig.mapper.newWindow(4 * PAGE, PAGE, BIDIRECTIONAL, NONE);
      window.link(0, rig.allocate(PAGE).phys(0), PAGE, BIDIRECTIONAL);
      window.protect(0, PAGE, BIDIRECTIONAL);
      assertThatThrownBy(() -> rig.device.read(window.address(), 4)).isInstanceOf(IllegalStateException.class);
      rig.only(Rule.BELOW_TRANSLATION_LOST, true);
    }
  }

  private static IovaReservation window(Rig rig) {
    IovaReservation window = rig.mapper.newReservation();
    assertThat(window.tryAlloc(0, 4 * PAGE, TO_DEVICE, NONE)).isTrue();
    return window;
  }
}
