package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E6a to E6k: who owns the bytes, when they move, and which stay where they are. */
public interface OwnershipRules extends TckFixture {
  /** E6a. */
  @Test
  @Tag("breaks:device-used-unsynced")
  default void e6aLinkedMemoryIsUsableAfterSyncAndNotBefore() {
    needs(Behavior.TRANSLATES);
    long unit = granuleOf(rig());
    MemoryBlock block = rig().memory(unit * 4);
    for (int round = 0; round < 6; round++) {
      try (IovaReservation window = rig().mapper().newReservation()) {
        window.tryAlloc(block.phys(0), unit * 4, DmaDirection.BIDIRECTIONAL, 0);
        window.link(0, block.phys(0), unit);
        window.link(2 * unit, block.phys(2 * unit), unit);
        rig().device().requireRefused(window.address(), "it was linked and not synced");
        rig().device().requireRefused(window.address() + 2 * unit, "it was linked and not synced");
        window.sync(0, unit * 4);
        assertThat(rig().device().read(window.address(), (int) unit)).isEqualTo(Bytes.of(block, 0, unit));
        assertThat(rig().device().read(window.address() + 2 * unit, (int) unit)).isEqualTo(Bytes.of(block, 2 * unit, unit));
      }
    }
  }

  /** E6q. */
  @Test
  default void e6qPublishHandsOverItsRangeAndNothingThatTheDeviceHas() {
    needs(Behavior.TRANSLATES);
    long step = 2 * granuleOf(rig());
    int length = (int) rounded(700);
    MemoryBlock block = rig().memory(3 * step);
    long second = crooked() + step;
    byte[] expected = Bytes.of(block, 0, block.length());
    byte[] written = Bytes.random(64, 71);
    byte[] later = Bytes.random(length, 72);
    try (IovaReservation window = rig().mapper().newReservation()) {
      window.tryAlloc(block.phys(crooked()), step + length, DmaDirection.BIDIRECTIONAL, 0);
      long first = window.link(0, block.phys(crooked()), length);
      long other = window.link(step, block.phys(second), length);
      window.sync(0, length);
      rig().device().write(first + 128, written);
      System.arraycopy(written, 0, expected, (int) crooked() + 128, written.length);
      // Linked and not published: still the CPU's.
      Bytes.put(block, second, later);
      System.arraycopy(later, 0, expected, (int) second, length);
      window.sync(0, step + length);
      assertThat(rig().device().read(other, length)).as("what the CPU wrote before its range was published").isEqualTo(later);
      assertThat(rig().device().read(first + 128, written.length)).as("what the device wrote before another range was published").isEqualTo(written);
    }
    assertThat(Bytes.of(block, 0, block.length())).as("the block").isEqualTo(expected);
  }

  /** E6b. */
  @Test
  default void e6bDeviceSeesWhatTheCpuHandsOver() {
    int length = (int) rounded(14_000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    for (DmaDirection direction : List.of(DmaDirection.TO_DEVICE, DmaDirection.BIDIRECTIONAL)) {
      try (DmaMapping mapping = rig().map(block, crooked(), length, direction)) {
        assertThat(rig().device().read(mapping.dmaAddress(), length)).isEqualTo(Bytes.of(block, crooked(), length));
        for (int at = 0; at + 1500 < length; at += 2777) {
          byte[] news = Bytes.random(1500, at);
          mapping.syncForCpu(at, 1500);
          Bytes.put(block, crooked() + at, news);
          mapping.syncForDevice(at, 1500);
          assertThat(rig().device().read(mapping.dmaAddress() + at, 1500)).as("part at %d", at).isEqualTo(news);
        }
      }
    }
  }

  /** E6c. */
  @Test
  default void e6cCpuSeesWhatTheDeviceWrote() {
    int length = (int) rounded(14_000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    for (DmaDirection direction : List.of(DmaDirection.FROM_DEVICE, DmaDirection.BIDIRECTIONAL)) {
      byte[] last = Bytes.random(length, direction.access());
      try (DmaMapping mapping = rig().map(block, crooked(), length, direction)) {
        for (int at = 0; at + 1500 < length; at += 2777) {
          byte[] news = Bytes.random(1500, at);
          rig().device().write(mapping.dmaAddress() + at, news);
          mapping.syncForCpu(at, 1500);
          assertThat(Bytes.of(block, crooked() + at, 1500)).as("part at %d", at).isEqualTo(news);
          mapping.syncForDevice(at, 1500);
        }
        rig().device().write(mapping.dmaAddress(), last);
      }
      assertThat(Bytes.of(block, crooked(), length)).as("after unmap").isEqualTo(last);
    }
  }

  /** E6d. */
  @Test
  default void e6dBytesAroundTheMappingAreNeverTouched() {
    int length = (int) rounded(7001);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    int start = (int) Math.max(64, crooked() * 2);
    byte[] expected = Bytes.of(block, 0, block.length());
    try (DmaMapping mapping = rig().map(block, start, length, DmaDirection.BIDIRECTIONAL)) {
      // What the CPU writes beside a mapping is not the mapping's business.
      byte[] beside = Bytes.random(64, 5);
      Bytes.put(block, start - 64, beside);
      Bytes.put(block, start + length, beside);
      System.arraycopy(beside, 0, expected, start - 64, 64);
      System.arraycopy(beside, 0, expected, start + length, 64);
      byte[] written = Bytes.random(length, 6);
      rig().device().write(mapping.dmaAddress(), written);
      System.arraycopy(written, 0, expected, start, length);
      mapping.syncForCpu(0, length);
      assertThat(Bytes.of(block, 0, block.length())).as("after sync").isEqualTo(expected);
      mapping.syncForDevice(0, length);
    }
    assertThat(Bytes.of(block, 0, block.length())).as("after unmap").isEqualTo(expected);
  }

  /** E6e. */
  @Test
  default void e6eBytesTheDeviceDidNotWriteSurvive() {
    int length = (int) rounded(9000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    byte[] expected = Bytes.of(block, 0, block.length());
    byte[] written = Bytes.random(700, 8);
    try (DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.FROM_DEVICE)) {
      rig().device().write(mapping.dmaAddress() + 3001, written);
    }
    if (has(Behavior.SHOWS_WRITERS_ZEROS)) {
      Arrays.fill(expected, (int) crooked(), (int) crooked() + length, (byte) 0);
    }
    System.arraycopy(written, 0, expected, (int) crooked() + 3001, written.length);
    assertThat(Bytes.of(block, 0, block.length())).isEqualTo(expected);
  }

  /** E6f. */
  @Test
  default void e6fPartialSyncForCpuLeavesTheRestToItsOwner() {
    int length = (int) rounded(9000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    try (DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.BIDIRECTIONAL)) {
      mapping.syncForCpu(0, length);
      byte[] mine = Bytes.random(640, 11);
      Bytes.put(block, crooked() + 5120, mine);
      byte[] written = Bytes.random(900, 12);
      rig().device().write(mapping.dmaAddress() + 1024, written);
      mapping.syncForCpu(1024, 900);
      assertThat(Bytes.of(block, crooked() + 1024, 900)).as("the part that was synced").isEqualTo(written);
      assertThat(Bytes.of(block, crooked() + 5120, 640)).as("what the CPU wrote elsewhere").isEqualTo(mine);
      mapping.syncForDevice(5120, 640);
      assertThat(rig().device().read(mapping.dmaAddress() + 5120, 640)).isEqualTo(mine);
    }
    assertThat(Bytes.of(block, crooked() + 1024, 900)).isEqualTo(Bytes.random(900, 12));
    assertThat(Bytes.of(block, crooked() + 5120, 640)).isEqualTo(Bytes.random(640, 11));
  }

  /** E6g. */
  @Test
  default void e6gPartialSyncForDeviceKeepsWhatTheDeviceWroteElsewhere() {
    int length = (int) rounded(9000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    byte[] written = Bytes.random(640, 21);
    byte[] mine = Bytes.random(900, 22);
    try (DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.BIDIRECTIONAL)) {
      mapping.syncForCpu(1024, 900);
      // Only that part is the CPU's now; what the device writes elsewhere is in no copy but its own.
      rig().device().write(mapping.dmaAddress() + 5120, written);
      Bytes.put(block, crooked() + 1024, mine);
      mapping.syncForDevice(1024, 900);
      assertThat(rig().device().read(mapping.dmaAddress() + 1024, 900)).isEqualTo(mine);
      assertThat(rig().device().read(mapping.dmaAddress() + 5120, 640)).as("what the device wrote elsewhere").isEqualTo(written);
    }
    assertThat(Bytes.of(block, crooked() + 1024, 900)).isEqualTo(mine);
    assertThat(Bytes.of(block, crooked() + 5120, 640)).isEqualTo(written);
  }

  /** E6h. */
  @Test
  default void e6hWhatIsMappedInPlaceForACoherentDeviceNeedsNoSync() {
    MemoryBlock block = rig().memory(spaced(64 << 10));
    try (DmaMapping mapping = rig().map(block, crooked(), rounded(9000), DmaDirection.BIDIRECTIONAL)) {
      boolean free = has(Behavior.IN_PLACE) && setup().device().coherent();
      assertThat(mapping.needsSync()).isEqualTo(!free);
    }
  }

  /** E6i. */
  @Test
  default void e6iRequireCoherentIsHonouredOrRefused() {
    MemoryBlock block = rig().memory(spaced(64 << 10));
    long length = rounded(9000);
    if (has(Behavior.IN_PLACE) && setup().device().coherent()) {
      try (DmaMapping mapping = rig().mapper().map(block.phys(crooked()), length, DmaDirection.TO_DEVICE, DmaAttributes.REQUIRE_COHERENT)) {
        assertThat(mapping.needsSync()).isFalse();
      }
    } else {
      assertThatThrownBy(() -> rig().mapper().map(block.phys(crooked()), length, DmaDirection.TO_DEVICE, DmaAttributes.REQUIRE_COHERENT))
          .isInstanceOfSatisfying(
              DmaMappingException.class, e -> assertThat(e.reason()).isIn(EnumSet.of(Reason.COHERENCE_REQUIRED, Reason.BOUNCE_FORBIDDEN)));
    }
  }

  /** E6j. */
  @Test
  default void e6jTransfersSyncAnyPartAcrossTheirRanges() {
    MemoryBlock block = rig().memory(spaced(256 << 10));
    long[] offsets = {crooked(), spaced(70_000) / edge() * edge(), spaced(140_000) / edge() * edge()};
    int part = (int) rounded(5000);
    Ranges source = new Ranges();
    for (long offset : offsets) {
      source.add(block.phys(offset), part);
    }
    try (DmaTransfer transfer = rig().mapper().newTransfer()) {
      List<long[]> entries = new ArrayList<>();
      transfer.map(source, DmaDirection.FROM_DEVICE, 0, (address, length, kind) -> entries.add(new long[] {address, length}));
      byte[] written = Bytes.random(3 * part, 31);
      int at = 0;
      for (long[] entry : entries) {
        rig().device().write(entry[0], java.util.Arrays.copyOfRange(written, at, at + (int) entry[1]));
        at += (int) entry[1];
      }
      assertThat(at).isEqualTo(3 * part);
      int from = part - 333;
      transfer.syncForCpu(from, part + 666);
      byte[] seen = new byte[3 * part];
      for (int i = 0; i < 3; i++) {
        System.arraycopy(Bytes.of(block, offsets[i], part), 0, seen, i * part, part);
      }
      assertThat(java.util.Arrays.copyOfRange(seen, from, from + part + 666)).isEqualTo(java.util.Arrays.copyOfRange(written, from, from + part + 666));
      transfer.unmap();
      for (int i = 0; i < 3; i++) {
        assertThat(Bytes.of(block, offsets[i], part)).isEqualTo(java.util.Arrays.copyOfRange(written, i * part, (i + 1) * part));
      }
    }
  }

  /** E6k. */
  @Test
  @Tag("breaks:device-used-wrong-direction")
  default void e6kForeignMemoryIsStagedOrRefused() {
    byte[] heap = Bytes.random(6001, 51);
    MemorySegment segment = MemorySegment.ofArray(heap);
    if (!has(Behavior.STAGES_FOREIGN_MEMORY)) {
      assertThatThrownBy(() -> rig().mapper().map(segment, DmaDirection.TO_DEVICE, 0))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED));
      return;
    }
    byte[] written = Bytes.random(1000, 52);
    byte[] expected = heap.clone();
    System.arraycopy(written, 0, expected, 2500, written.length);
    try (DmaMapping mapping = rig().mapper().map(segment, DmaDirection.BIDIRECTIONAL, 0)) {
      assertThat(rig().device().read(mapping.dmaAddress(), heap.length)).isEqualTo(heap);
      rig().device().write(mapping.dmaAddress() + 2500, written);
      mapping.syncForCpu(2400, 300);
      assertThat(Arrays.copyOfRange(heap, 2500, 2700)).as("the part that was synced").isEqualTo(Arrays.copyOf(written, 200));
      System.arraycopy(written, 300, heap, 100, 400);
      System.arraycopy(written, 300, expected, 100, 400);
      mapping.syncForDevice(100, 400);
      assertThat(rig().device().read(mapping.dmaAddress() + 100, 400)).as("the part that was handed over again").isEqualTo(Arrays.copyOfRange(heap, 100, 500));
    }
    assertThat(heap).isEqualTo(expected);
    requireDirections(segment, heap);
  }

  /** As of the machine's own memory: what the device leaves unwritten survives, and what it may only read stays. */
  private void requireDirections(MemorySegment segment, byte[] heap) {
    byte[] written = Bytes.random(1000, 53);
    byte[] expected = has(Behavior.SHOWS_WRITERS_ZEROS) ? new byte[heap.length] : heap.clone();
    System.arraycopy(written, 0, expected, 700, written.length);
    try (DmaMapping mapping = rig().mapper().map(segment, DmaDirection.FROM_DEVICE, 0)) {
      rig().device().write(mapping.dmaAddress() + 700, written);
    }
    assertThat(heap).as("foreign memory of which the device wrote a part").isEqualTo(expected);
    try (DmaMapping mapping = rig().mapper().map(segment, DmaDirection.TO_DEVICE, 0)) {
      assertThat(rig().device().read(mapping.dmaAddress(), heap.length)).as("what the device reads of foreign memory").isEqualTo(expected);
      rig().device().tryWrite(mapping.dmaAddress() + 3000, written);
      mapping.syncForCpu(0, heap.length);
    }
    assertThat(heap).as("foreign memory that the device may only read").isEqualTo(expected);
  }

  /** E6l. */
  @Test
  default void e6lOverwrittenMappingsGetAllThatTheDeviceWrites() {
    int length = (int) rounded(9000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    byte[] written = Bytes.random(length, 61);
    try (DmaMapping mapping = rig().mapper().map(block.phys(crooked()), length, DmaDirection.FROM_DEVICE, DmaAttributes.OVERWRITE)) {
      rig().device().write(mapping.dmaAddress(), written);
    }
    assertThat(Bytes.of(block, crooked(), length)).isEqualTo(written);
  }
}
