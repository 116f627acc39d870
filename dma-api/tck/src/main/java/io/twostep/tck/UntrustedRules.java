package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E4: an untrusted device gets translation or nothing, at once, and sees no byte that is not its own. */
public interface UntrustedRules extends TckFixture {
  /** Return the setup with a device that is not trusted. */
  default TckSetup untrusted() {
    return setup().withDevice(setup().device().withTrusted(false));
  }

  /** E4a. */
  @Test
  default void e4aUntrustedDeviceIsServedBehindTranslationOrRefusedAtAttach() {
    TckRig rig = open(untrusted());
    if (has(Behavior.SERVES_UNTRUSTED)) {
      assertThat(rig.mapper().limits().translates()).as("an untrusted device gets translation or nothing").isTrue();
    } else {
      assertThatThrownBy(rig::mapper).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED));
    }
  }

  /** E4b. */
  @Test
  @Tag("breaks:device-used-beyond-end+device-used-unknown-address+device-used-unmapped+device-used-wrong-direction")
  default void e4bUntrustedDeviceSeesNoForeignByteOfSharedGranules() {
    needs(Behavior.SERVES_UNTRUSTED);
    requireConfined(open(untrusted()));
  }

  /** E4c. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e4cTeardownOfAnUntrustedDeviceIsStrict() {
    needs(Behavior.SERVES_UNTRUSTED);
    TckRig rig = open(untrusted());
    long length = granuleOf(rig) * 2;
    MemoryBlock block = rig.memory(length);
    for (int round = 0; round < 8; round++) {
      DmaMapping mapping = rig.map(block, 0, length, DmaDirection.BIDIRECTIONAL);
      long at = mapping.dmaAddress();
      rig.device().read(at, 16);
      mapping.close();
      rig.device().requireRefused(at, "it was unmapped, for a device that is not trusted");
    }
  }

  /** E4c. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e4cTeardownOfAnUntrustedDevicesWindowsAndRequestsIsStrict() {
    needs(Behavior.SERVES_UNTRUSTED);
    TckRig rig = open(untrusted());
    long part = granuleOf(rig);
    MemoryBlock block = rig.memory(part * 8);
    Ranges apart = new Ranges().add(block.phys(4 * part), part).add(block.phys(6 * part), part);
    List<Long> addresses = new ArrayList<>();
    try (IovaReservation window = rig.mapper().newReservation();
        DmaTransfer transfer = rig.mapper().newTransfer()) {
      for (int round = 0; round < 8; round++) {
        addresses.clear();
        window.tryAlloc(block.phys(0), 2 * part, DmaDirection.BIDIRECTIONAL, 0);
        addresses.add(window.link(0, block.phys(0), part));
        addresses.add(window.link(part, block.phys(3 * part), part));
        window.sync(0, 2 * part);
        transfer.map(apart, DmaDirection.BIDIRECTIONAL, 0, (address, length, kind) -> addresses.add(address));
        addresses.forEach(address -> rig.device().read(address, 16));
        window.destroy();
        transfer.unmap();
        addresses.forEach(address -> rig.device().requireRefused(address, "it was torn down, for a device that is not trusted"));
      }
    }
  }

  /** E4d. */
  @Test
  @Tag("breaks:device-used-beyond-end+device-used-unknown-address+device-used-unmapped+device-used-wrong-direction")
  default void e4dOneUntrustedMemberMakesTheWholeGroupUntrusted() {
    assumeFalse(setup().hostManaged(), "the kit gives every device a host's table of its own");
    SlotOptions grouped = setup().device().withGroup("shared");
    TckRig rig = open(setup().withDevice(grouped));
    rig.plug(new ProbeDevice(), grouped.withTrusted(false));
    if (has(Behavior.SERVES_UNTRUSTED)) {
      requireConfined(rig);
    } else {
      assertThatThrownBy(rig::mapper).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED));
    }
  }

  /** E4e. */
  @Test
  default void e4eCoherentMemoryOfAnUntrustedDeviceSharesNoGranule() {
    needs(Behavior.SERVES_UNTRUSTED);
    TckRig rig = open(untrusted());
    long granule = rig.mapper().limits().granule();
    try (DmaBuffer one = rig.mapper().allocateCoherent(100);
        DmaBuffer two = rig.mapper().allocateCoherent(100)) {
      assertThat(one.dmaAddress() / granule).isNotEqualTo(two.dmaAddress() / granule);
      Bytes.fill(one.segment(), 1);
      Bytes.fill(two.segment(), 2);
      requireZeros(rig, one.dmaAddress() + 100, (one.dmaAddress() & -granule) + granule);
    }
  }

  /** Map something crooked and look around it: refused whole, or surrounded by zeros. */
  private void requireConfined(TckRig rig) {
    long granule = rig.mapper().limits().granule();
    MemoryBlock block = rig.memory(granule * 6);
    for (DmaDirection direction : DmaDirection.values()) {
      for (long length : new long[] {300, granule, 2 * granule + 700}) {
        DmaMapping mapping;
        try {
          mapping = rig.map(block, granule + 100, length, direction);
        } catch (DmaMappingException e) {
          requireConfinementsReason(e);
          continue;
        }
        try (mapping) {
          long first = mapping.dmaAddress() & -granule;
          long end = (mapping.dmaAddress() + length + granule - 1) & -granule;
          requireZeros(rig, first, mapping.dmaAddress());
          requireZeros(rig, mapping.dmaAddress() + length, end);
          rig.device().requireRefused(first - 1, "nothing is mapped there");
          rig.device().requireRefused(end, "nothing is mapped there");
        }
        requireConfinedLink(rig, block, length, direction);
        requireConfinedTransfer(rig, block, length, direction);
      }
    }
  }

  /** As what is mapped, so what is linked. */
  private static void requireConfinedLink(TckRig rig, MemoryBlock block, long length, DmaDirection direction) {
    long granule = rig.mapper().limits().granule();
    long phys = block.phys(granule + 100);
    try (IovaReservation window = rig.mapper().newReservation()) {
      window.tryAlloc(phys, length, direction, 0);
      long at;
      try {
        at = window.link(0, phys, length);
        window.sync(0, length);
      } catch (DmaMappingException e) {
        requireConfinementsReason(e);
        return;
      }
      requireZeros(rig, at & -granule, at);
      requireZeros(rig, at + length, (at + length + granule - 1) & -granule);
    }
  }

  /** As what is mapped, so all ranges of a request. */
  private static void requireConfinedTransfer(TckRig rig, MemoryBlock block, long length, DmaDirection direction) {
    long granule = rig.mapper().limits().granule();
    Ranges source = new Ranges().add(block.phys(granule - 300), 300).add(block.phys(granule + 100), length).add(block.phys(5 * granule), 200);
    List<long[]> entries = new ArrayList<>();
    try (DmaTransfer transfer = rig.mapper().newTransfer()) {
      try {
        transfer.map(source, direction, 0, (address, bytes, kind) -> entries.add(new long[] {address, bytes}));
      } catch (DmaMappingException e) {
        requireConfinementsReason(e);
        return;
      }
      for (long[] entry : entries) {
        long end = entry[0] + entry[1];
        requireZeros(rig, entry[0] & -granule, entry[0]);
        requireZeros(rig, end, (end + granule - 1) & -granule);
      }
    }
  }

  private static void requireConfinementsReason(DmaMappingException e) {
    assertThat(e.reason()).as("why " + e.getMessage()).isIn(EnumSet.of(Reason.BOUNCE_FORBIDDEN, Reason.COHERENCE_REQUIRED, Reason.MISALIGNED));
  }

  private static void requireZeros(TckRig rig, long from, long to) {
    byte[] seen = to == from ? null : rig.device().tryRead(from, (int) (to - from));
    if (seen != null) {
      assertThat(seen).as("bytes that share a granule with what is mapped at 0x%x", from).containsOnly(0);
    }
  }
}
