package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import java.util.EnumSet;
import org.junit.jupiter.api.Test;

/** Rules E6m to E6o: a device that does not snoop owns whole cache lines, or something is bounced or refused. */
public interface CoherenceRules extends TckFixture {
  /** Return the setup with a device that does not snoop. */
  default TckSetup nonCoherent() {
    return setup().withDevice(setup().device().withCoherent(false));
  }

  /** E6m. */
  @Test
  default void e6mDeviceThatDoesNotSnoopSeesWholeLinesHandedOver() {
    TckRig rig = open(nonCoherent());
    long line = Math.max(rig.machine().memory().cacheLine(), edge());
    long length = (9000 + line - 1) / line * line;
    long part = Math.min(length, line * 3);
    MemoryBlock block = rig.memory(spaced(64 << 10));
    if (!has(Behavior.SERVES_NON_COHERENT)) {
      requireRefused(() -> rig.map(block, 0, length, DmaDirection.BIDIRECTIONAL).close());
      return;
    }
    for (int round = 0; round < 8; round++) {
      byte[] sent = Bytes.random((int) length, round);
      byte[] answered = Bytes.random((int) length, 100 + round);
      Bytes.put(block, line, sent);
      try (DmaMapping mapping = rig.map(block, line, length, DmaDirection.BIDIRECTIONAL)) {
        assertThat(rig.device().read(mapping.dmaAddress(), (int) length)).as("what the CPU had in its caches").isEqualTo(sent);
        rig.device().write(mapping.dmaAddress(), answered);
        mapping.syncForCpu(0, part);
        assertThat(Bytes.of(block, line, part)).as("what the device wrote").isEqualTo(java.util.Arrays.copyOf(answered, (int) part));
      }
      assertThat(Bytes.of(block, line, length)).as("after unmap").isEqualTo(answered);
    }
  }

  /** E6n. */
  @Test
  default void e6nNeighboursInASharedLineAreNeverDamaged() {
    TckRig rig = open(nonCoherent());
    if (!has(Behavior.SERVES_NON_COHERENT)) {
      return;
    }
    MemoryBlock block = rig.memory(spaced(64 << 10));
    int length = 4000;
    for (int offset : new int[] {10, 4096 + 33, 9999}) {
      DmaMapping mapping;
      try {
        mapping = rig.map(block, offset, length, DmaDirection.FROM_DEVICE);
      } catch (DmaMappingException e) {
        assertThat(e.reason()).isIn(EnumSet.of(Reason.COHERENCE_REQUIRED, Reason.BOUNCE_FORBIDDEN, Reason.MISALIGNED));
        continue;
      }
      byte[] before = Bytes.random(10, offset);
      byte[] after = Bytes.random(10, offset + 1);
      byte[] written = Bytes.random(length, offset + 2);
      try (mapping) {
        Bytes.put(block, offset - 10, before);
        rig.device().write(mapping.dmaAddress(), written);
        Bytes.put(block, offset + length, after);
        mapping.syncForCpu(0, length);
        mapping.syncForDevice(0, length);
      }
      assertThat(Bytes.of(block, offset - 10, 10)).as("before the mapping").isEqualTo(before);
      assertThat(Bytes.of(block, offset, length)).as("the mapping").isEqualTo(written);
      assertThat(Bytes.of(block, offset + length, 10)).as("behind the mapping").isEqualTo(after);
    }
  }

  /** E6o. */
  @Test
  default void e6oCoherentMemoryNeedsNoSync() {
    boolean served = has(Behavior.SERVES_NON_COHERENT);
    TckRig rig = open(served ? nonCoherent() : setup());
    try (DmaBuffer buffer = rig.mapper().allocateCoherent(5000)) {
      for (int round = 0; round < 6; round++) {
        byte[] sent = Bytes.random(5000, round);
        java.lang.foreign.MemorySegment.copy(java.lang.foreign.MemorySegment.ofArray(sent), 0, buffer.segment(), 0, 5000);
        assertThat(rig.device().read(buffer.dmaAddress(), 5000)).isEqualTo(sent);
        byte[] answered = Bytes.random(700, -round);
        rig.device().write(buffer.dmaAddress() + 123, answered);
        assertThat(buffer.segment().asSlice(123, 700).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)).isEqualTo(answered);
      }
    }
  }

  private static void requireRefused(Runnable work) {
    DmaMappingException refusal = org.assertj.core.api.Assertions.catchThrowableOfType(DmaMappingException.class, work::run);
    assertThat(refusal).as("a refusal of a device that does not snoop").isNotNull();
    assertThat(refusal.reason()).isIn(EnumSet.of(Reason.COHERENCE_REQUIRED, Reason.UNSUPPORTED));
  }
}
