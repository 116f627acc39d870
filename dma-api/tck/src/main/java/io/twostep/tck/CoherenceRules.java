package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
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
        assertThat(Bytes.of(block, line, part)).as("what the device wrote").isEqualTo(Arrays.copyOf(answered, (int) part));
      }
      assertThat(Bytes.of(block, line, length)).as("after unmap").isEqualTo(answered);
    }
  }

  /** E6m. */
  @Test
  default void e6mDeviceThatDoesNotSnoopSeesWholeLinesOfRequestsAndWindows() {
    needs(Behavior.SERVES_NON_COHERENT);
    TckRig rig = open(nonCoherent());
    long line = Math.max(rig.machine().memory().cacheLine(), edge());
    int length = (int) ((2500 + line - 1) / line * line);
    long step = Math.max(spaced(8 << 10), 2 * granuleOf(rig));
    MemoryBlock block = rig.memory(3 * step + length + line);
    for (int round = 0; round < 8; round++) {
      List<byte[]> sent = List.of(Bytes.random(length, round), Bytes.random(length, 30 + round));
      byte[] answered = Bytes.random(length, 100 + round);
      Bytes.put(block, line, sent.get(0));
      Bytes.put(block, 2 * step + line, sent.get(1));
      List<long[]> entries = new ArrayList<>();
      try (DmaTransfer transfer = rig.mapper().newTransfer()) {
        Ranges source = new Ranges().add(block.phys(line), length).add(block.phys(2 * step + line), length);
        transfer.map(source, DmaDirection.BIDIRECTIONAL, 0, (address, bytes, kind) -> entries.add(new long[] {address, bytes}));
        ByteArrayOutputStream seen = new ByteArrayOutputStream();
        entries.forEach(entry -> seen.writeBytes(rig.device().read(entry[0], (int) entry[1])));
        assertThat(Arrays.copyOf(seen.toByteArray(), length)).as("what the device reads of a request").isEqualTo(sent.get(0));
        assertThat(Arrays.copyOfRange(seen.toByteArray(), length, 2 * length)).as("what it reads of its second range").isEqualTo(sent.get(1));
        long[] last = entries.getLast();
        rig.device().write(last[0] + last[1] - length, answered);
        transfer.syncForCpu(length, length);
        assertThat(Bytes.of(block, 2 * step + line, length)).as("what the device wrote to a request").isEqualTo(answered);
      }
      if (!has(Behavior.TRANSLATES)) {
        continue;
      }
      Bytes.put(block, line, sent.get(1));
      try (IovaReservation window = rig.mapper().newReservation()) {
        window.tryAlloc(block.phys(line), step + length, DmaDirection.BIDIRECTIONAL, 0);
        long at = window.link(0, block.phys(line), length);
        long other = window.link(step, block.phys(2 * step + line), length);
        window.sync(0, step + length);
        assertThat(rig.device().read(at, length)).as("what the device reads of a link").isEqualTo(sent.get(1));
        assertThat(rig.device().read(other, length)).as("what the device reads of another link").isEqualTo(answered);
        rig.device().write(other, sent.get(0));
        window.syncForCpu(step, length);
        assertThat(Bytes.of(block, 2 * step + line, length)).as("what the device wrote to a link").isEqualTo(sent.get(0));
        rig.device().write(at, answered);
      }
      assertThat(Bytes.of(block, line, length)).as("what the device wrote to a link, once its window is gone").isEqualTo(answered);
    }
  }

  /** E6n. */
  @Test
  default void e6nNeighboursInASharedLineAreNeverDamaged() {
    TckRig rig = open(nonCoherent());
    needs(Behavior.SERVES_NON_COHERENT);
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
