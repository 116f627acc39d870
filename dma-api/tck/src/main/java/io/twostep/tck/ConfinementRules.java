package io.twostep.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules E3 and E5: nothing unasked is mapped, and the device may do what the direction says and no more. */
public interface ConfinementRules extends TckFixture {
  /** E3a. */
  @Test
  @Tag("breaks:device-used-beyond-end+device-used-unknown-address")
  default void e3aGranulesBesideTheMappingAreUnreachable() {
    needs(Behavior.TRANSLATES);
    long granule = rig().mapper().limits().granule();
    long length = granule * 3;
    MemoryBlock block = rig().memory(granule * 5);
    try (DmaMapping mapping = rig().map(block, granule, length, DmaDirection.BIDIRECTIONAL)) {
      rig().device().requireRefused(mapping.dmaAddress() - 1, "it lies before the mapping");
      rig().device().requireRefused(mapping.dmaAddress() + length, "it lies behind the mapping");
    }
  }

  /** E3b. */
  @Test
  default void e3bTransfersMapTheBytesOfTheirRangesAndNoOthers() {
    DeviceLimits limits = setup().limits().withMaxSegmentLength(24 << 10).withSegmentBoundaryMask((64 << 10) - 1);
    TckRig limited = open(setup().withLimits(limits));
    MemoryBlock block = limited.memory(spaced(512 << 10));
    Ranges source = new Ranges();
    ByteArrayOutputStream expected = new ByteArrayOutputStream();
    for (int i = 0; i < 12; i++) {
      long offset = i * spaced(40 << 10) + (i % 3) * crooked();
      long length = rounded(1 + i * 2999);
      source.add(block.phys(offset), length);
      expected.writeBytes(Bytes.of(block, offset, length));
    }
    try (DmaTransfer transfer = limited.mapper().newTransfer()) {
      ByteArrayOutputStream seen = new ByteArrayOutputStream();
      List<long[]> entries = new ArrayList<>();
      long count = transfer.map(source, DmaDirection.TO_DEVICE, 0, (address, length, kind) -> entries.add(new long[] {address, length}));
      assertThat(count).isEqualTo(entries.size());
      for (long[] entry : entries) {
        assertThat(entry[1]).as("bytes of one entry").isBetween(1L, limits.maxSegmentLength());
        assertThat(entry[0] >>> 16).as("no entry crosses the boundary of 64 KiB").isEqualTo((entry[0] + entry[1] - 1) >>> 16);
        seen.writeBytes(limited.device().read(entry[0], (int) entry[1]));
      }
      assertThat(seen.toByteArray()).as("what the device reads of the request").isEqualTo(expected.toByteArray());
    }
  }

  /** E3c. */
  @Test
  @Tag("breaks:device-used-hole")
  default void e3cHolesOfAWindowFault() {
    needs(Behavior.TRANSLATES);
    long unit = granuleOf(rig());
    MemoryBlock block = rig().memory(unit * 8);
    try (IovaReservation window = rig().mapper().newReservation()) {
      window.tryAlloc(block.phys(0), unit * 8, DmaDirection.BIDIRECTIONAL, 0);
      window.link(6 * unit, block.phys(6 * unit), unit);
      window.link(unit, block.phys(unit), 2 * unit);
      window.sync(0, unit * 8);
      for (int i = 0; i < 8; i++) {
        long at = window.address() + i * unit;
        if (i == 1 || i == 2 || i == 6) {
          assertThat(rig().device().read(at, 64)).as("unit %d", i).isEqualTo(Bytes.of(block, i * unit, 64));
        } else {
          rig().device().requireRefused(at, "nothing is linked there");
        }
      }
    }
  }

  /** E3d. */
  @Test
  default void e3dScatteredMemoryIsSeenInItsOrder() {
    MemoryBlock block = rig().memory(rounded(96 << 10), MemoryPlacement.SCATTERED);
    boolean framesTooSmall = Math.max(edge(), rig().mapper().limits().granule()) > rig().machine().memory().frameSize();
    try (DmaTransfer transfer = rig().mapper().newTransfer()) {
      ByteArrayOutputStream seen = new ByteArrayOutputStream();
      List<long[]> entries = new ArrayList<>();
      if (framesTooSmall && !has(Behavior.BOUNCES)) {
        assertThatThrownBy(() -> transfer.map(block.ranges(), DmaDirection.TO_DEVICE, 0, (address, length, kind) -> true))
            .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isIn(EnumSet.of(Reason.BOUNCE_FORBIDDEN, Reason.MISALIGNED)));
        return;
      }
      transfer.map(block.ranges(), DmaDirection.TO_DEVICE, 0, (address, length, kind) -> entries.add(new long[] {address, length}));
      entries.forEach(entry -> seen.writeBytes(rig().device().read(entry[0], (int) entry[1])));
      assertThat(seen.toByteArray()).isEqualTo(Bytes.of(block, 0, block.length()));
    }
  }

  /** E5a. */
  @Test
  @Tag("breaks:device-used-wrong-direction")
  default void e5aDeviceCannotWriteWhatItMayOnlyRead() {
    int length = (int) rounded(9000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    byte[] before = Bytes.of(block, 0, block.length());
    try (DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.TO_DEVICE)) {
      assertThat(rig().device().read(mapping.dmaAddress(), length)).isEqualTo(Bytes.of(block, crooked(), length));
      if (has(Behavior.TRANSLATES)) {
        assertThat(rig().device().tryWrite(mapping.dmaAddress() + 17, new byte[1])).as("a write to what is mapped TO_DEVICE").isFalse();
      } else if (has(Behavior.BOUNCES)) {
        rig().device().tryWrite(mapping.dmaAddress() + 17, new byte[1]);
        mapping.syncForCpu(0, length);
      }
    }
    assertThat(Bytes.of(block, 0, block.length())).isEqualTo(before);
  }

  /** E5b. */
  @Test
  @Tag("breaks:device-used-wrong-direction")
  default void e5bDeviceCannotReadWhatItMayOnlyWrite() {
    needs(Behavior.WRITE_ONLY);
    int length = (int) rounded(9000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    try (DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.FROM_DEVICE)) {
      assertThat(rig().device().tryRead(mapping.dmaAddress(), 1)).as("a read of what is mapped FROM_DEVICE").isNull();
      rig().device().write(mapping.dmaAddress(), Bytes.random(length, 3));
    }
    assertThat(Bytes.of(block, crooked(), length)).isEqualTo(Bytes.random(length, 3));
  }

  /** E5c. */
  @Test
  @Tag("breaks:device-used-wrong-direction")
  default void e5cLinksHaveThePermissionOfTheirReservation() {
    needs(Behavior.TRANSLATES);
    long unit = granuleOf(rig());
    MemoryBlock block = rig().memory(unit * 6);
    for (DmaDirection direction : DmaDirection.values()) {
      try (IovaReservation window = rig().mapper().newReservation()) {
        window.tryAlloc(block.phys(0), unit * 4, direction, 0);
        window.link(0, block.phys(0), unit);
        window.link(unit, new Ranges().add(block.phys(unit), unit).add(block.phys(3 * unit), unit).add(block.phys(5 * unit), unit));
        window.sync(0, unit * 4);
        for (int i = 0; i < 4; i++) {
          long at = window.address() + i * unit;
          boolean reads = direction.deviceReads() || !has(Behavior.WRITE_ONLY);
          assertThat(rig().device().tryRead(at, 1) != null).as("%s: may read link %d", direction, i).isEqualTo(reads);
          assertThat(rig().device().tryWrite(at, new byte[1])).as("%s: may write link %d", direction, i).isEqualTo(direction.deviceWrites());
        }
      }
    }
  }

  /** E5e, whatever is declared. */
  @Test
  @Tag("breaks:device-used-wrong-direction")
  default void e5eUntrustedDeviceReadsNothingOfWhatItMayOnlyWrite() {
    needs(Behavior.TRANSLATES, Behavior.SERVES_UNTRUSTED);
    TckRig rig = open(setup().withDevice(setup().device().withTrusted(false)));
    int length = (int) granuleOf(rig) * 2;
    MemoryBlock block = rig.memory(length);
    DmaMapping mapping;
    try {
      mapping = rig.map(block, 0, length, DmaDirection.FROM_DEVICE);
    } catch (DmaMappingException e) {
      assertThat(has(Behavior.WRITE_ONLY)).as("a refusal where permissions are enforced: %s", e.getMessage()).isFalse();
      assertThat(e.reason()).as(e.getMessage()).isIn(EnumSet.of(Reason.BOUNCE_FORBIDDEN, Reason.COHERENCE_REQUIRED, Reason.UNSUPPORTED));
      return;
    }
    try (mapping) {
      byte[] seen = rig.device().tryRead(mapping.dmaAddress(), length);
      if (seen != null) {
        assertThat(seen).as("what an untrusted device reads of what is mapped FROM_DEVICE").containsOnly(0);
      }
    }
  }

  /** E5e. */
  @Test
  default void e5eDeviceThatCouldReadWhatItMayOnlyWriteSeesZeros() {
    needs(Behavior.SHOWS_WRITERS_ZEROS);
    int length = (int) rounded(9000);
    MemoryBlock block = rig().memory(spaced(64 << 10));
    try (DmaMapping mapping = rig().map(block, crooked(), length, DmaDirection.FROM_DEVICE)) {
      assertThat(rig().device().tryRead(mapping.dmaAddress(), length)).as("what the device reads of what is mapped FROM_DEVICE").isIn(null, new byte[length]);
      rig().device().write(mapping.dmaAddress() + 10, Bytes.random(100, 4));
      mapping.syncForCpu(0, length);
      assertThat(Bytes.of(block, crooked() + 10, 100)).isEqualTo(Bytes.random(100, 4));
      Bytes.put(block, crooked(), Bytes.random(length, 5));
      mapping.syncForDevice(0, length);
      assertThat(rig().device().tryRead(mapping.dmaAddress(), length)).as("what it reads once the memory was handed over again").isIn(null, new byte[length]);
    }
  }
}
