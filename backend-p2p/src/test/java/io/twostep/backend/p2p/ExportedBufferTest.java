package io.twostep.backend.p2p;

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

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.ImportedBuffer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.FailNth;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A buffer shared with several devices: its bytes, its being taken back and moved, and importers that do not listen. */
class ExportedBufferTest {
  private static final int PAGE = Rig.PAGE;
  private static final long GIB = 1L << 30;
  private static final byte[] BYTES = Rig.pattern(64, 1);

  private static void assertReason(Reason reason, Runnable call) {
    assertThatThrownBy(call::run).isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(reason));
  }

  private static void pauseUntilDone(Rig rig, CompletableFuture<Void> future) {
    while (!future.isDone()) {
      rig.machine.timers().pause();
    }
  }

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

  /** A second importer, behind no translation, on the same machine. */
  private static final class Untranslated implements AutoCloseable {
    final MemoryDevice device;
    final DeviceSlot slot;
    final DirectBackend terminal = new DirectBackend();
    final DmaMapper mapper;

    Untranslated(Rig rig) {
      device = new MemoryDevice(rig.arena);
      slot = rig.machine.plug(new DeviceAddress("0000:11:00.0"), device, SlotOptions.DEFAULT.withTranslation(Translation.NONE));
      slot.busMaster(true);
      mapper = DmaStack.of(terminal, rig.p2p).attach(rig.machine, slot, DeviceLimits.UNLIMITED);
    }

    @Override
    public void close() {
      assertThat(mapper.liveMappings()).isZero();
      mapper.close();
      terminal.close();
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyImporterSeesOneBuffer(Kind kind) {
    try (Rig rig = new Rig(kind);
        Untranslated other = new Untranslated(rig)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", pages(block));
          ImportedBuffer first = exported.attach(rig.mapper, () -> {});
          ImportedBuffer second = exported.attach(other.mapper, () -> {})) {
        assertThat(exported.attachments()).isEqualTo(2);
        assertThat(exported.length()).isEqualTo(2 * PAGE + 200);
        Entries entries = new Entries();
        second.map(BIDIRECTIONAL, NONE, entries);
        for (Entries.Entry entry : entries.list) {
          assertThat(other.device.write(entry.dmaAddress(), Rig.pattern((int) entry.length(), 6))).isTrue();
        }
        second.unmap();
        if (kind.translates || kind.bounces) {
          long address = first.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE);
          assertThat(rig.device.read(address, 2 * PAGE + 200)).isEqualTo(contents(block));
          assertThat(rig.device.write(address, Rig.pattern(2 * PAGE + 200, 7))).isTrue();
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

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY", "IOMMU_NOT_SNOOPING", "IOMMU_FORCED", "UNTRUSTED"})
  void aBufferIsTakenBackMovedAndMappedAgain(Kind kind) {
    try (Rig rig = new Rig(kind);
        Untranslated other = new Untranslated(rig)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      MemoryBlock elsewhere = rig.allocate(3 * PAGE);
      AtomicInteger told = new AtomicInteger();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", pages(block));
          ImportedBuffer first = exported.attach(rig.mapper, told::incrementAndGet);
          ImportedBuffer second = exported.attach(other.mapper, told::incrementAndGet);
          DmaMapping mine = rig.mapper.map(block.phys(0), PAGE, BIDIRECTIONAL, NONE)) {
        long address = first.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE);
        second.map(BIDIRECTIONAL, NONE, new Entries());
        CompletableFuture<Void> revoked = exported.revoke().toCompletableFuture();
        assertThat(told).hasValue(2);
        assertThat(rig.device.write(address, BYTES)).as("translated importers lose it at once").isFalse();
        assertThat(rig.device.write(mine.dmaAddress(), BYTES)).as("who maps the memory otherwise keeps it").isTrue();
        mine.unmap();
        assertThat(revoked).as("the other still holds it").isNotDone();
        assertReason(Reason.REVOKED, () -> first.syncForCpu(0, 1));
        assertReason(Reason.REVOKED, () -> second.syncForCpu(0, 1));
        assertReason(Reason.REVOKED, () -> exported.attach(rig.mapper, () -> {}));
        assertThatThrownBy(exported::restore).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
        second.unmap();
        assertThat(revoked).isCompleted();
        first.unmap();
        assertReason(Reason.REVOKED, () -> first.map(BIDIRECTIONAL, NONE, new Entries()));
        block.close();

        assertThatThrownBy(() -> exported.restore(PhysRanges.of(elsewhere.phys(0), PAGE))).isInstanceOf(IllegalArgumentException.class);
        exported.restore(pages(elsewhere));
        assertThatThrownBy(exported::restore).isInstanceOf(IllegalStateException.class).hasMessageContaining("not taken back");
        long moved = first.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE);
        assertThat(rig.device.write(moved + PAGE, BYTES)).isTrue();
        first.unmap();
        assertThat(Rig.bytesOf(elsewhere, 0, 64)).isEqualTo(BYTES);
        assertThat(exported.revoke().toCompletableFuture()).isCompleted();
        assertThat(told).as("nobody maps it").hasValue(2);
      }
    }
  }

  @Test
  void aBufferTakenBackInTheMiddleOfARequestIsGoneWhenTheCallReturns() {
    try (Rig rig = new Rig(Kind.IOMMU);
        Untranslated other = new Untranslated(rig)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      AtomicInteger told = new AtomicInteger();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", pages(block));
          ImportedBuffer first = exported.attach(rig.mapper, told::incrementAndGet);
          ImportedBuffer second = exported.attach(rig.mapper, told::incrementAndGet);
          ImportedBuffer third = exported.attach(other.mapper, () -> {})) {
        third.onRevoke(third::unmap);
        second.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        third.map(BIDIRECTIONAL, NONE, new Entries());
        List<CompletableFuture<Void>> revoked = new ArrayList<>();
        Entries entries = new Entries();
        first.map(
            BIDIRECTIONAL,
            NONE,
            (dmaAddress, length, kind) -> {
              revoked.add(exported.revoke().toCompletableFuture());
              assertThat(told).as("the others").hasValue(1);
              assertThat(revoked.getFirst()).isNotDone();
              return entries.accept(dmaAddress, length, kind);
            });
        assertThat(revoked.getFirst()).isCompleted();
        assertThat(told).hasValue(2);
        assertThat(rig.device.write(entries.address(0), BYTES)).isFalse();
        first.unmap();
        second.unmap();
        exported.restore();
        third.map(BIDIRECTIONAL, NONE, new Entries());
      }
    }
  }

  @Test
  void anImporterThatNeverLetsGoHasItsDeviceStoppedAndTheOthersGoOn() {
    try (Rig rig = new Rig(Kind.IOMMU);
        Untranslated deaf = new Untranslated(rig)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", pages(block));
          ImportedBuffer good = exported.attach(rig.mapper, () -> {});
          ImportedBuffer bad = exported.attach(deaf.mapper, () -> {})) {
        Entries entries = new Entries();
        bad.map(BIDIRECTIONAL, NONE, entries);
        good.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        CompletableFuture<Void> revoked = exported.revoke(5_000_000).toCompletableFuture();
        good.unmap();
        assertThat(deaf.device.write(entries.address(0), BYTES)).as("nothing stands between").isTrue();
        long start = rig.machine.timers().nanoTime();
        pauseUntilDone(rig, revoked);
        assertThat(rig.machine.timers().nanoTime() - start).isGreaterThanOrEqualTo(5_000_000);
        assertThat(revoked).isCompleted();
        assertThat(deaf.device.write(entries.address(0), BYTES)).isFalse();
        assertReason(Reason.DETACHED, deaf.mapper::newMapping);
        assertThatThrownBy(exported::close).isInstanceOf(IllegalStateException.class);
        exported.restore();
        long address = good.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        assertThat(rig.device.write(address, BYTES)).isTrue();
        bad.unmap();
      }
    }
  }

  @Test
  void whatCannotBeInvalidatedKeepsTheBufferUntilTheDeviceIsReset() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", pages(block))) {
        ImportedBuffer imported = exported.attach(rig.mapper, () -> {});
        imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
        CompletableFuture<Void> revoked = exported.revoke(1_000).toCompletableFuture();
        assertThat(rig.mapper.quarantined()).isEqualTo(1);
        pauseUntilDone(rig, revoked);
        assertThat(revoked).isCompletedExceptionally();
        assertThatThrownBy(exported::restore).isInstanceOf(IllegalStateException.class).hasMessageContaining("reset");
        assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
        assertReason(Reason.QUARANTINED, imported::unmap);
        rig.slot.reset();
        rig.slot.busMaster(true);
        assertThat(rig.mapper.releaseQuarantined()).isZero();
        exported.restore();
        assertThat(rig.device.write(imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE), BYTES)).isTrue();
        imported.close();
      }
    }
  }

  @Test
  void rangesOfADeviceFollowEachOtherAtRunningOffsets() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      long peer = rig.behindMemory.phys();
      PhysRanges ranges = PhysRanges.of(peer + 9 * PAGE, 2 * PAGE, peer, PAGE, peer + 4 * PAGE, 3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "registers", ranges);
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        assertThat(exported.provider()).isSameAs(rig.behindMemory.provider());
        byte[] bytes = Rig.pattern(6 * PAGE, 4);
        assertThat(rig.device.write(imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE), bytes)).isTrue();
        assertThat(rig.behind.bytes(9 * PAGE, 2 * PAGE)).isEqualTo(Arrays.copyOfRange(bytes, 0, 2 * PAGE));
        assertThat(rig.behind.bytes(0, PAGE)).isEqualTo(Arrays.copyOfRange(bytes, 2 * PAGE, 3 * PAGE));
        assertThat(rig.behind.bytes(4 * PAGE, 3 * PAGE)).isEqualTo(Arrays.copyOfRange(bytes, 3 * PAGE, 6 * PAGE));
      }
    }
  }

  @Test
  void offsetsBeyondFourGibibytesReachTheirBytes(@TempDir Path folder) throws IOException {
    try (Rig rig = new Rig(Kind.IOMMU);
        FileChannel sparse = FileChannel.open(folder.resolve("bar"), CREATE_NEW, READ, WRITE, SPARSE)) {
      MemoryDevice large = new MemoryDevice(sparse.map(MapMode.READ_WRITE, 0, 8 * GIB, rig.arena));
      DeviceSlot provider = rig.machine.plug(new DeviceAddress("0000:11:00.0"), large, SlotOptions.DEFAULT);
      try (PeerMemory low = PeerMemory.publish(rig.machine, provider, MemoryDevice.BAR, 0, 4 * GIB);
          PeerMemory high = PeerMemory.publish(rig.machine, provider, MemoryDevice.BAR, 5 * GIB, 2 * GIB);
          ExportedBuffer exported =
              ExportedBuffer.of(rig.machine, "bar", PhysRanges.of(high.phys() + GIB, GIB, low.phys(), 4 * GIB, high.phys(), 3 * PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        assertThat(exported.length()).isEqualTo(5 * GIB + 3 * PAGE);
        long address = imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        byte[] edge = Rig.pattern(2 * PAGE, 5);
        assertThat(rig.device.write(address + 5 * GIB - PAGE, edge)).isTrue();
        assertThat(large.bytes(4 * GIB - PAGE, PAGE)).isEqualTo(Arrays.copyOf(edge, PAGE));
        assertThat(large.bytes(5 * GIB, PAGE)).isEqualTo(Arrays.copyOfRange(edge, PAGE, 2 * PAGE));
        assertThat(rig.device.write(address + 8, BYTES)).isTrue();
        assertThat(large.bytes(6 * GIB + 8, 64)).isEqualTo(BYTES);
        imported.syncForCpu(5 * GIB, PAGE);
        imported.unmap();
        Entries entries = new Entries();
        imported.map(BIDIRECTIONAL, NONE, entries);
        assertThat(entries.list.stream().mapToLong(Entries.Entry::length).sum()).isEqualTo(5 * GIB + 3 * PAGE);
        Entries.Entry last = entries.list.getLast();
        assertThat(rig.device.read(last.dmaAddress() + last.length() - 3 * PAGE, PAGE)).isEqualTo(Arrays.copyOfRange(edge, PAGE, 2 * PAGE));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"DIRECT", "IOMMU"})
  void busAddressesOfADeviceBecomeEntries(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      long peer = rig.nearMemory.phys();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "bar", PhysRanges.of(peer + 9 * PAGE, 2 * PAGE, peer, PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        assertReason(Reason.NOT_LINEAR, () -> imported.mapLinear(BIDIRECTIONAL, NONE, MAY_BOUNCE));
        Entries entries = new Entries();
        assertThat(imported.map(BIDIRECTIONAL, NONE, entries)).isEqualTo(2);
        assertThatThrownBy(imported::dmaAddress).isInstanceOf(IllegalStateException.class).hasMessageContaining("2 entries");
        assertThat(rig.device.write(entries.address(1), BYTES)).isTrue();
        assertThat(rig.near.bytes(0, 64)).isEqualTo(BYTES);
      }
    }
  }

  @Test
  void aProviderThatTakesItsMemoryBackTakesTheBufferWithIt() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      AtomicInteger told = new AtomicInteger();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "bar", PhysRanges.of(rig.nearMemory.phys(), PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, told::incrementAndGet)) {
        imported.map(BIDIRECTIONAL, NONE, new Entries());
        CompletableFuture<Void> revoked = rig.nearMemory.revoke().toCompletableFuture();
        assertThat(exported.isRevoked()).isTrue();
        assertThat(told).as("once, though told of buffer and memory").hasValue(1);
        assertThat(revoked).as("reached by bus address").isNotDone();
        imported.unmap();
        assertThat(revoked).isCompleted();
        assertThat(rig.nearMemory.pins()).isZero();
        assertThat(exported.revoke().toCompletableFuture()).isCompleted();
        assertReason(Reason.REVOKED, exported::restore);
      }
    }
  }

  @Test
  void aProviderIsToldThatQuarantinedImportsStillReachIt() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "bar", PhysRanges.of(rig.behindMemory.phys(), PAGE));
          ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
        imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
        rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
        CompletableFuture<Void> revoked = rig.behindMemory.revoke(1_000).toCompletableFuture();
        pauseUntilDone(rig, revoked);
        assertThat(revoked).isCompletedExceptionally();
        assertReason(Reason.QUARANTINED, imported::unmap);
        rig.slot.reset();
        assertThat(rig.mapper.releaseQuarantined()).isZero();
      }
    }
  }

  @Test
  void aProviderThatIsPulledOutEndsTheBuffer() {
    try (Rig rig = new Rig(Kind.IOMMU);
        ExportedBuffer exported = ExportedBuffer.of(rig.machine, "bar", PhysRanges.of(rig.behindMemory.phys(), PAGE));
        ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
      imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
      rig.machine.unplug(rig.behindMemory.provider().address());
      assertThat(exported.isRevoked()).isTrue();
      assertReason(Reason.REVOKED, () -> imported.syncForCpu(0, 1));
      imported.unmap();
      assertThat(rig.behindMemory.pins()).isZero();
    }
  }

  @Test
  void whatCannotBeExportedOrAttachedIsRefusedAtTheDoor() {
    try (Rig rig = new Rig(Kind.IOMMU);
        Rig stranger = new Rig(Kind.IOMMU)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      String before = rig.accounts();
      PhysRanges mixed = PhysRanges.of(block.phys(0), PAGE, rig.nearMemory.phys(), PAGE);
      assertThatThrownBy(() -> ExportedBuffer.of(rig.machine, "x", mixed)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("somebody else");
      PhysRanges two = PhysRanges.of(rig.behindMemory.phys(), PAGE, rig.nearMemory.phys(), PAGE);
      assertThatThrownBy(() -> ExportedBuffer.of(rig.machine, "x", two)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> ExportedBuffer.of(rig.machine, "x", PhysRanges.of())).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> ExportedBuffer.of(rig.machine, "x", PhysRanges.of(-PAGE, 2 * PAGE))).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> PhysRanges.of(1)).isInstanceOf(IllegalArgumentException.class);
      assertReason(Reason.NOT_BACKED, () -> ExportedBuffer.of(rig.machine, "x", PhysRanges.of(1L << 61, PAGE)));
      try (ExportedBuffer far = ExportedBuffer.of(rig.machine, "far", PhysRanges.of(rig.farMemory.phys(), PAGE))) {
        assertReason(Reason.PEER_UNREACHABLE, () -> far.attach(rig.mapper, () -> {}));
        assertThatThrownBy(() -> far.attach(stranger.mapper, () -> {})).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("another machine");
        assertThat(far.attachments()).isZero();
      }
      ExportedBuffer closed = ExportedBuffer.of(rig.machine, "closed", pages(block));
      ImportedBuffer imported = closed.attach(rig.mapper, () -> {});
      closed.close();
      closed.close();
      assertReason(Reason.REVOKED, () -> imported.map(BIDIRECTIONAL, NONE, new Entries()));
      assertReason(Reason.REVOKED, () -> closed.attach(rig.mapper, () -> {}));
      assertThat(closed.revoke().toCompletableFuture()).isCompleted();
      assertThatThrownBy(closed::restore).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
      imported.close();
      rig.behindMemory.revoke();
      assertReason(Reason.REVOKED, () -> ExportedBuffer.of(rig.machine, "x", PhysRanges.of(rig.behindMemory.phys(), PAGE)));
      assertThat(rig.accounts()).isEqualTo(before);
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_FORCED", "DIRECT_FORCED"})
  void whicheverCallFailsNothingIsLeft(Kind kind) {
    try (Rig rig = new Rig(kind)) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", pages(block));
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

  /** Importers map and unmap as fast as they can while the exporter takes the buffer back and moves it: nobody ever writes where it was. */
  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY"})
  void movingUnderLoadLeavesNoImporterBehind(Kind kind) throws InterruptedException, ExecutionException {
    try (Rig rig = new Rig(kind, DeviceLimits.UNLIMITED, "iotlb", "normal", "time", "real")) {
      MemoryBlock block = rig.allocate(3 * PAGE);
      AtomicReference<Throwable> failure = new AtomicReference<>();
      AtomicInteger stop = new AtomicInteger();
      CountDownLatch running = new CountDownLatch(2);
      List<Thread> threads = new ArrayList<>();
      try (ExportedBuffer exported = ExportedBuffer.of(rig.machine, "frame", pages(block))) {
        for (int t = 0; t < 2; t++) {
          threads.add(
              new Thread(
                  () -> {
                    try (ImportedBuffer imported = exported.attach(rig.mapper, () -> {})) {
                      for (int n = 0; stop.get() == 0; n++) {
                        try {
                          imported.mapLinear(BIDIRECTIONAL, NONE, IN_PLACE);
                        } catch (DmaMappingException e) {
                          assertThat(e.reason()).isEqualTo(Reason.REVOKED);
                          continue;
                        } finally {
                          if (n == 3) {
                            running.countDown();
                          }
                        }
                        imported.unmap();
                      }
                    } catch (RuntimeException | AssertionError e) {
                      failure.set(e);
                    }
                  }));
        }
        threads.forEach(Thread::start);
        running.await();
        for (int round = 0; round < 50; round++) {
          exported.revoke(10_000_000_000L).toCompletableFuture().get();
          assertThat(exported.mappings()).isZero();
          exported.restore();
        }
        stop.set(1);
        for (Thread thread : threads) {
          thread.join();
        }
        assertThat(failure.get()).isNull();
      }
    }
  }
}
