package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import java.util.EnumSet;
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
  @Tag("breaks:device-used-beyond-end+device-used-unknown-address+device-used-wrong-direction")
  default void e4bUntrustedDeviceSeesNoForeignByteOfSharedGranules() {
    if (has(Behavior.SERVES_UNTRUSTED)) {
      requireConfined(open(untrusted()));
    }
  }

  /** E4c. */
  @Test
  @Tag("breaks:device-used-unmapped")
  default void e4cTeardownOfAnUntrustedDeviceIsStrict() {
    if (!has(Behavior.SERVES_UNTRUSTED)) {
      return;
    }
    TckRig rig = open(untrusted());
    long length = rig.mapper().limits().granule() * 2;
    MemoryBlock block = rig.memory(length);
    for (int round = 0; round < 8; round++) {
      DmaMapping mapping = rig.map(block, 0, length, DmaDirection.BIDIRECTIONAL);
      long at = mapping.dmaAddress();
      rig.device().read(at, 16);
      mapping.close();
      rig.device().requireRefused(at, "it was unmapped, for a device that is not trusted");
    }
  }

  /** E4d. */
  @Test
  @Tag("breaks:device-used-beyond-end+device-used-unknown-address+device-used-wrong-direction")
  default void e4dOneUntrustedMemberMakesTheWholeGroupUntrusted() {
    if (setup().hostManaged()) {
      return;
    }
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
    if (!has(Behavior.SERVES_UNTRUSTED)) {
      return;
    }
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
          assertThat(e.reason()).as("why " + e.getMessage()).isIn(EnumSet.of(Reason.BOUNCE_FORBIDDEN, Reason.COHERENCE_REQUIRED, Reason.MISALIGNED));
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
      }
    }
  }

  private static void requireZeros(TckRig rig, long from, long to) {
    byte[] seen = to == from ? null : rig.device().tryRead(from, (int) (to - from));
    if (seen != null) {
      assertThat(seen).as("bytes that share a granule with what is mapped at 0x%x", from).containsOnly(0);
    }
  }
}
