package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static io.twostep.dma.LinearPolicy.IN_PLACE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.ImportedBuffer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Parts of exported buffers, and buffers that devices may only read or only write. */
class ExportPartTest {
  private static final int PAGE = Rig.PAGE;

  /** The offset in the block of each byte of the buffer. */
  private static int place(int offset) {
    return offset < PAGE ? PAGE + offset : offset < 3 * PAGE ? 3 * PAGE + offset - PAGE : offset - 3 * PAGE;
  }

  @ParameterizedTest
  @EnumSource
  @Tag("breaks:outside-mapping+outside-window")
  void everyPartIsTheBytesOfTheBufferThere(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      MemoryBlock block = rig.allocate(6 * PAGE);
      byte[] contents = Rig.pattern(6 * PAGE, 1);
      block.segment().copyFrom(MemorySegment.ofArray(contents));
      PhysRanges ranges = PhysRanges.of(block.phys(PAGE), PAGE, block.phys(3 * PAGE), PAGE, block.phys(4 * PAGE), PAGE, block.phys(0), 300);
      int whole = 3 * PAGE + 300;
      Random random = new Random(5 + kind.ordinal());
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", ranges, TO_DEVICE);
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        for (int round = 0; round < 60; round++) {
          int offset = round == 0 ? 0 : random.nextInt(whole);
          int length = round == 0 ? whole : 1 + random.nextInt(whole - offset);
          Entries entries = new Entries();
          imported.map(offset, length, TO_DEVICE, NONE, entries);
          int seen = 0;
          for (Entries.Entry entry : entries.list) {
            byte[] read = rig.device.tryRead(entry.dmaAddress(), (int) entry.length());
            assertThat(read).as("round %d, 0x%x+0x%x", round, offset, length).isNotNull();
            for (byte found : read) {
              assertThat(found).isEqualTo(contents[place(offset + seen++)]);
            }
          }
          assertThat(seen).isEqualTo(length);
          imported.syncForDevice(length - 1, 1);
          assertThatThrownBy(() -> imported.syncForDevice(length, 1)).isInstanceOf(IllegalArgumentException.class);
          imported.unmap();
        }
      }
    }
  }

  @Test
  void aPartThatIsOneRangeIsLinearWhereTheWholeIsNot() {
    try (Rig rig = new Rig(Kind.DIRECT)) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      PhysRanges ranges = PhysRanges.of(block.phys(2 * PAGE), PAGE, block.phys(0), PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", ranges);
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        assertThat(imported.mapLinear(PAGE + 8, 100, BIDIRECTIONAL, NONE, IN_PLACE)).isEqualTo(block.phys(8));
        imported.unmap();
      }
    }
  }

  @Test
  @Tag("breaks:empty-range+outside-mapping")
  void partsOutsideTheBufferAreRefused() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      MemoryBlock block = rig.allocate(PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", PhysRanges.of(block.phys(0), PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        long[][] parts = {{-1, 2}, {0, 0}, {0, PAGE + 1}, {PAGE, 1}, {1, Long.MAX_VALUE}};
        for (long[] part : parts) {
          assertThatThrownBy(() -> imported.map(part[0], part[1], BIDIRECTIONAL, NONE, new Entries())).isInstanceOf(IllegalArgumentException.class);
          assertThatThrownBy(() -> imported.mapLinear(part[0], part[1], BIDIRECTIONAL, NONE, IN_PLACE)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(exported.mappings()).isZero();
        imported.map(BIDIRECTIONAL, NONE, new Entries());
        imported.unmap();
      }
    }
  }

  @Test
  @Tag("breaks:access-widened+device-used-wrong-direction")
  void noImporterMapsMoreThanTheExportAllows() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      MemoryBlock block = rig.allocate(PAGE);
      for (DmaDirection access : new DmaDirection[] {TO_DEVICE, FROM_DEVICE}) {
        try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", PhysRanges.of(block.phys(0), PAGE), access);
            ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
          for (DmaDirection direction : new DmaDirection[] {access == TO_DEVICE ? FROM_DEVICE : TO_DEVICE, BIDIRECTIONAL}) {
            assertThatThrownBy(() -> imported.map(direction, NONE, new Entries()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("0000:03:00.0")
                .hasMessageContaining("exported buffer frame")
                .hasMessageContaining(access + " only");
            assertThatThrownBy(() -> imported.mapLinear(direction, NONE, IN_PLACE)).isInstanceOf(IllegalArgumentException.class);
          }
          long address = imported.mapLinear(access, NONE, IN_PLACE);
          assertThat(rig.device.tryWrite(address, new byte[8])).as("held to it by hardware").isEqualTo(access == FROM_DEVICE);
          exported.revoke();
          CompletableFuture<Void> again = exported.revoke().toCompletableFuture();
          assertThat(again).isCompleted();
          imported.unmap();
          exported.restore();
          assertThatThrownBy(() -> imported.map(BIDIRECTIONAL, NONE, new Entries())).as("also after it moved").isInstanceOf(IllegalArgumentException.class);
        }
      }
    }
  }
}
