package io.twostep.backend.p2p;

import static io.twostep.backend.p2p.ReasonAssert.assertReason;
import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.LinearPolicy.IN_PLACE;
import static io.twostep.dma.LinearPolicy.MAY_BOUNCE;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.SPARSE;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.ImportedBuffer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.ProbeDevice;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A buffer shared with several devices: its bytes, and what is refused. */
class ExportedBufferTest {
  private static final int PAGE = Rig.PAGE;
  private static final long GIB = 1L << 30;
  private static final byte[] BYTES = Rig.pattern(64, 1);

  private static PhysRanges pages(MemoryBlock block) {
    return PhysRanges.of(block.phys(PAGE), PAGE, block.phys(0), PAGE, block.phys(2 * PAGE), 200);
  }

  private static byte[] contents(MemoryBlock block) {
    byte[] bytes = new byte[2 * PAGE + 200];
    System.arraycopy(Rig.bytesOf(block, PAGE, PAGE), 0, bytes, 0, PAGE);
    System.arraycopy(Rig.bytesOf(block, 0, PAGE), 0, bytes, PAGE, PAGE);
    System.arraycopy(Rig.bytesOf(block, 2 * PAGE, 200), 0, bytes, 2 * PAGE, 200);
    return bytes;
  }

  @ParameterizedTest
  @EnumSource
  @Tag("breaks:torn-down-twice")
  void everyImporterSeesOneBuffer(Kind kind) {
    try (Rig rig = new Rig(kind);
        UntranslatedImporter other = new UntranslatedImporter(rig)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", pages(block));
          ImportedBuffer first = exported.attach(rig.mapper, () -> {});
          ImportedBuffer second = exported.attach(other.mapper, () -> {})) {
        assertThat(exported.attachments()).isEqualTo(2);
        assertThat(exported.length()).isEqualTo(2 * PAGE + 200);
        Entries entries = new Entries();
        second.map(BIDIRECTIONAL, NONE, entries);
        for (Entries.Entry entry : entries.list) {
          assertThat(other.device.tryWrite(entry.dmaAddress(), Rig.pattern((int) entry.length(), 6))).isTrue();
        }
        second.unmap();
        if (kind.translates || kind.bounces) {
          long address = first.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE);
          assertThat(rig.device.tryRead(address, 2 * PAGE + 200)).isEqualTo(contents(block));
          assertThat(rig.device.tryWrite(address, Rig.pattern(2 * PAGE + 200, 7))).isTrue();
          first.unmap();
          assertThat(contents(block)).isEqualTo(Rig.pattern(2 * PAGE + 200, 7));
        }
        Entries again = new Entries();
        first.map(BIDIRECTIONAL, NONE, again);
        assertThat(exported.mappings()).isEqualTo(1);
        assertThatThrownBy(exported::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("frame").hasMessageContaining("1 mappings");
        assertThatThrownBy(block::close).as("held by the export").isInstanceOf(IllegalStateException.class);
        first.unmap();
        assertThatThrownBy(first::unmap).isInstanceOf(IllegalStateException.class);
      }
    }
  }

  @Test
  void rangesOfADeviceFollowEachOtherAtRunningOffsets() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      long peer = rig.behindMemory.phys();
      PhysRanges ranges = PhysRanges.of(peer + 9 * PAGE, 2 * PAGE, peer, PAGE, peer + 4 * PAGE, 3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "registers", ranges);
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        assertThat(exported.provider()).isSameAs(rig.behindMemory.provider());
        byte[] bytes = Rig.pattern(6 * PAGE, 4);
        assertThat(rig.device.tryWrite(imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE), bytes)).isTrue();
        assertThat(rig.behind.memory(9 * PAGE, 2 * PAGE)).isEqualTo(Arrays.copyOfRange(bytes, 0, 2 * PAGE));
        assertThat(rig.behind.memory(0, PAGE)).isEqualTo(Arrays.copyOfRange(bytes, 2 * PAGE, 3 * PAGE));
        assertThat(rig.behind.memory(4 * PAGE, 3 * PAGE)).isEqualTo(Arrays.copyOfRange(bytes, 3 * PAGE, 6 * PAGE));
      }
    }
  }

  @Test
  void offsetsBeyondFourGibibytesReachTheirBytes(@TempDir Path folder) throws IOException {
    try (Rig rig = new Rig(Kind.IOMMU);
        FileChannel sparse = FileChannel.open(folder.resolve("bar"), CREATE_NEW, READ, WRITE, SPARSE)) {
      ProbeDevice large = ProbeDevice.withMemory(sparse.map(MapMode.READ_WRITE, 0, 8 * GIB, rig.arena));
      DeviceSlot provider = rig.machine.plug(new DeviceAddress("0000:11:00.0"), large, SlotOptions.DEFAULT);
      try (PeerMemory low = PeerMemory.publish(rig.machine, provider, ProbeDevice.MEMORY_BAR, 0, 4 * GIB);
          PeerMemory high = PeerMemory.publish(rig.machine, provider, ProbeDevice.MEMORY_BAR, 5 * GIB, 2 * GIB);
          ExportedBuffer exported =
              ExportedBuffer.of(rig.seen, "bar", PhysRanges.of(high.phys() + GIB, GIB, low.phys(), 4 * GIB, high.phys(), 3 * PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        assertThat(exported.length()).isEqualTo(5 * GIB + 3 * PAGE);
        long address = imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        byte[] edge = Rig.pattern(2 * PAGE, 5);
        assertThat(rig.device.tryWrite(address + 5 * GIB - PAGE, edge)).isTrue();
        assertThat(large.memory(4 * GIB - PAGE, PAGE)).isEqualTo(Arrays.copyOf(edge, PAGE));
        assertThat(large.memory(5 * GIB, PAGE)).isEqualTo(Arrays.copyOfRange(edge, PAGE, 2 * PAGE));
        assertThat(rig.device.tryWrite(address + 8, BYTES)).isTrue();
        assertThat(large.memory(6 * GIB + 8, 64)).isEqualTo(BYTES);
        imported.syncForCpu(5 * GIB, PAGE);
        imported.unmap();
        Entries entries = new Entries();
        imported.map(BIDIRECTIONAL, NONE, entries);
        assertThat(entries.list.stream().mapToLong(Entries.Entry::length).sum()).isEqualTo(5 * GIB + 3 * PAGE);
        Entries.Entry last = entries.list.getLast();
        assertThat(rig.device.tryRead(last.dmaAddress() + last.length() - 3 * PAGE, PAGE)).isEqualTo(Arrays.copyOfRange(edge, PAGE, 2 * PAGE));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"DIRECT", "IOMMU"})
  void busAddressesOfADeviceBecomeEntries(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      long peer = rig.nearMemory.phys();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "bar", PhysRanges.of(peer + 9 * PAGE, 2 * PAGE, peer, PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        assertReason(Reason.NOT_LINEAR, () -> imported.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE));
        Entries entries = new Entries();
        assertThat(imported.map(BIDIRECTIONAL, NONE, entries)).isEqualTo(2);
        assertThatThrownBy(imported::dmaAddress).isInstanceOf(IllegalStateException.class).hasMessageContaining("2 entries");
        assertThat(rig.device.tryWrite(entries.address(1), BYTES)).isTrue();
        assertThat(rig.near.memory(0, 64)).isEqualTo(BYTES);
      }
    }
  }

  @Test
  void whatCannotBeExportedOrAttachedIsRefusedAtTheDoor() {
    try (Rig rig = new Rig(Kind.IOMMU);
        Rig stranger = new Rig(Kind.IOMMU)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      String before = rig.accounts();
      PhysRanges mixed = PhysRanges.of(block.phys(0), PAGE, rig.nearMemory.phys(), PAGE);
      assertThatThrownBy(() -> ExportedBuffer.of(rig.seen, "x", mixed)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("somebody else");
      PhysRanges two = PhysRanges.of(rig.behindMemory.phys(), PAGE, rig.nearMemory.phys(), PAGE);
      assertThatThrownBy(() -> ExportedBuffer.of(rig.seen, "x", two)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> ExportedBuffer.of(rig.seen, "x", PhysRanges.of())).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> ExportedBuffer.of(rig.seen, "x", PhysRanges.of(-PAGE, 2 * PAGE))).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> PhysRanges.of(1)).isInstanceOf(IllegalArgumentException.class);
      assertReason(Reason.NOT_BACKED, () -> ExportedBuffer.of(rig.seen, "x", PhysRanges.of(1L << 61, PAGE)));
      try (ExportedBuffer far = ExportedBuffer.of(rig.seen, "far", PhysRanges.of(rig.farMemory.phys(), PAGE))) {
        assertReason(Reason.PEER_UNREACHABLE, () -> far.attach(rig.mapper, () -> {}));
        assertThatThrownBy(() -> far.attach(stranger.mapper, () -> {})).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("another machine");
        assertThat(far.attachments()).isZero();
      }
      ExportedBuffer closed = ExportedBuffer.of(rig.seen, "closed", pages(block));
      ImportedBuffer imported = closed.attach(rig.mapper, () -> {});
      closed.close();
      closed.close();
      assertReason(Reason.REVOKED, () -> imported.map(BIDIRECTIONAL, NONE, new Entries()));
      assertReason(Reason.REVOKED, () -> closed.attach(rig.mapper, () -> {}));
      assertThat(closed.revoke().toCompletableFuture()).isCompleted();
      assertThatThrownBy(closed::restore).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
      imported.close();
      rig.behindMemory.revoke();
      assertReason(Reason.REVOKED, () -> ExportedBuffer.of(rig.seen, "x", PhysRanges.of(rig.behindMemory.phys(), PAGE)));
      assertThat(rig.accounts()).isEqualTo(before);
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_FORCED", "DIRECT_FORCED"})
  void whicheverCallFailsNothingIsLeft(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.seen, "frame", pages(block));
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        imported.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE);
        imported.unmap();
        String before = rig.accounts();
        boolean failed = true;
        for (int n = 1; failed; n++) {
          rig.counting.failIn = n;
          failed = false;
          try {
            imported.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE);
            imported.unmap();
            imported.map(BIDIRECTIONAL, NONE, new Entries());
            imported.unmap();
          } catch (DmaMappingException e) {
            failed = true;
          }
          rig.counting.failIn = 0;
          assertThat(rig.accounts()).as("after call %d failed", n).isEqualTo(before);
          assertThat(exported.mappings()).isZero();
        }
      }
    }
  }
}
