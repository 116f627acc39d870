package io.twostep.device.rdma.umem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.device.rdma.mirror.PageFaultException.Kind;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.ExportedBuffer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.FailNth;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class OnDemandUmemTest {
  private static final long PAGE = 4096;
  private static final int ACCESS = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final int PAGES = 64;

  /** A process with one mapping, registered on demand. */
  private static final class Region implements AutoCloseable {
    final Rig rig;
    final ProcessMemory process;
    final TestPageTable table;
    final long va;
    final OnDemandUmem umem;

    Region(Rig rig) {
      this.rig = rig;
      process = new ProcessMemory("p", rig.pool);
      table = new TestPageTable(rig.probe);
      va = process.map(PAGES * PAGE, true);
      umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, PAGES * PAGE, ACCESS, table);
    }

    void cpuWrites(long offset, int value) {
      process.write(va + offset, MemorySegment.ofArray(new byte[] {(byte) value}), 0, 1);
    }

    int cpuReads(ProcessMemory who, long offset) {
      MemorySegment one = MemorySegment.ofArray(new byte[1]);
      who.read(va + offset, one, 0, 1);
      return one.get(ValueLayout.JAVA_BYTE, 0);
    }

    @Override
    public void close() {
      umem.close();
      process.close();
      assertThat(process.statistics().subscriptions()).isZero();
      assertThat(process.statistics().swapSlots()).isZero();
      rig.close();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void deviceSeesPagesAfterFaultAndProcessSeesWhatItWrote(boolean translated) {
    try (Region region = new Region(new Rig(translated, SlotOptions.DEFAULT))) {
      region.cpuWrites(5 * PAGE + 7, 42);
      assertThat(region.table.read(5 * PAGE, 8)).isNull();
      region.umem.fault(region.va + 5 * PAGE, 1, FaultMode.WRITE);
      assertThat(region.table.read(5 * PAGE + 7, 1)).containsExactly(42);
      assertThat(region.table.write(5 * PAGE + 8, new byte[] {43})).isTrue();
      assertThat(region.cpuReads(region.process, 5 * PAGE + 8)).isEqualTo(43);
      assertThat(region.umem.linkedPages()).isEqualTo(1);
    }
  }

  @Test
  void runOfPagesIsLinkedWithOneSync() {
    try (Region region = new Region(Rig.translated())) {
      long before = region.rig.machine.stats().publishes();
      region.umem.fault(region.va, PAGES * PAGE, FaultMode.WRITE);
      assertThat(region.rig.machine.stats().publishes() - before).isLessThanOrEqualTo(1);
      assertThat(region.table.calls).endsWith("set 0x0+0x40000 BIDIRECTIONAL", "commit");
      assertThat(region.table.size()).isEqualTo(PAGES);
    }
  }

  @Test
  void registrationLinksWhatIsInMemoryAndNothingElse() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      long va = process.map(4 * PAGE, true);
      process.write(va + PAGE, MemorySegment.ofArray(new byte[] {9}), 0, 1);
      TestPageTable table = new TestPageTable(rig.probe);
      try (OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, 4 * PAGE, ACCESS, table)) {
        assertThat(umem.linkedPages()).isEqualTo(1);
        assertThat(table.read(PAGE, 1)).containsExactly(9);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void sharedPageIsLinkedForReadingUntilTheDeviceAsksToWrite(boolean translated) {
    try (Region region = new Region(new Rig(translated, SlotOptions.DEFAULT))) {
      region.cpuWrites(0, 1);
      try (ProcessMemory child = region.process.fork()) {
        region.umem.fault(region.va, PAGE, FaultMode.READ);
        assertThat(region.table.read(0, 1)).containsExactly(1);
        assertThat(region.table.write(0, new byte[] {2})).isFalse();
        region.umem.fault(region.va, PAGE, FaultMode.WRITE);
        assertThat(region.table.write(0, new byte[] {2})).isTrue();
        assertThat(region.cpuReads(region.process, 0)).isEqualTo(2);
        assertThat(region.cpuReads(child, 0)).isEqualTo(1);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void pageThatIsTheProcesssOwnAgainBecomesWritableWhereItIs(boolean translated) {
    try (Region region = new Region(new Rig(translated, SlotOptions.DEFAULT))) {
      region.cpuWrites(0, 1);
      region.process.fork().close();
      region.umem.fault(region.va, PAGE, FaultMode.READ);
      assertThat(region.table.write(0, new byte[] {2})).isFalse();
      long copied = region.process.statistics().copiedPages();
      long changes = region.umem.invalidations();
      region.umem.fault(region.va, PAGE, FaultMode.WRITE);
      assertThat(region.process.statistics().copiedPages()).as("nobody shares it: no copy").isEqualTo(copied);
      assertThat(region.umem.invalidations()).isEqualTo(changes);
      assertThat(region.umem.linkedPages()).isEqualTo(1);
      assertThat(region.table.write(0, new byte[] {2})).isTrue();
      assertThat(region.cpuReads(region.process, 0)).isEqualTo(2);
      region.process.swapOut(region.va, PAGE);
      assertThat(region.cpuReads(region.process, 0)).as("what the device wrote counts as written").isEqualTo(2);
    }
  }

  @Test
  @Tag("breaks:device-used-wrong-direction")
  void translationItselfRefusesWritesToPagesLinkedForReading() {
    try (Region region = new Region(Rig.translated())) {
      region.umem.fault(region.va, PAGE, FaultMode.READ);
      long address = region.table.entry(0).dmaAddress();
      assertThatThrownBy(() -> region.rig.probe.write(address, new byte[] {1})).isInstanceOf(IllegalStateException.class);
      assertThat(region.cpuReads(region.process, 0)).isZero();
    }
  }

  private enum Event {
    UNMAP(r -> r.process.unmap(r.va, PAGE)),
    PROTECT(r -> r.process.protect(r.va, PAGE, false)),
    FORK(r -> r.process.fork().close()),
    MIGRATE(r -> r.process.migrate(r.va, PAGE)),
    SWAP(r -> r.process.swapOut(r.va, PAGE)),
    TRUNCATE(r -> r.process.truncate(r.va)),
    DISCARD(r -> r.process.discard(r.va, PAGE)),
    EXIT(r -> r.process.close());

    final Consumer<Region> happen;

    Event(Consumer<Region> happen) {
      this.happen = happen;
    }
  }

  @ParameterizedTest
  @EnumSource
  @Tag("breaks:device-used-unlinked")
  void deviceCannotReachPageOnceItChanged(Event event) {
    try (Region region = new Region(Rig.translated())) {
      region.umem.fault(region.va, PAGE, FaultMode.WRITE);
      long address = region.table.entry(0).dmaAddress();
      region.rig.probe.read(address, 1);
      event.happen.accept(region);
      assertThat(region.table.entry(0)).isNull();
      assertThatThrownBy(() -> region.rig.probe.read(address, 1)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> region.rig.probe.write(address, new byte[1])).isInstanceOf(IllegalStateException.class);
      assertThat(region.umem.linkedPages()).isZero();
      assertThat(region.umem.invalidations()).isEqualTo(1);
    }
  }

  @Test
  void deviceIsStoppedBeforePageIsUnlinked() {
    try (Region region = new Region(Rig.translated())) {
      region.umem.fault(region.va, 2 * PAGE, FaultMode.WRITE);
      long address = region.table.entry(0).dmaAddress();
      byte[][] seen = new byte[1][];
      region.table.calls.clear();
      region.table.onCommit = () -> seen[0] = region.rig.probe.read(address, 1);
      region.process.migrate(region.va, 2 * PAGE);
      region.table.onCommit = () -> {};
      assertThat(region.table.calls).containsExactly("zap 0x0+0x2000", "commit");
      assertThat(seen[0]).as("still linked while the device was awaited").isNotNull();
    }
  }

  @Test
  void whatTheDeviceWroteSurvivesSwapping() {
    try (Region region = new Region(Rig.translated())) {
      region.cpuWrites(0, 1);
      region.process.swapOut(region.va, PAGE);
      region.umem.fault(region.va, PAGE, FaultMode.READ);
      assertThat(region.table.write(0, new byte[] {77})).as("a page brought in for reading is writable if it is the process's own").isTrue();
      region.process.swapOut(region.va, PAGE);
      assertThat(region.cpuReads(region.process, 0)).isEqualTo(77);
    }
  }

  @Test
  @Tag("breaks:device-used-wrong-direction")
  void devicePermissionNeverExceedsTheRegions() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      long va = process.map(PAGE, true);
      process.write(va, MemorySegment.ofArray(new byte[] {9}), 0, 1);
      TestPageTable table = new TestPageTable(rig.probe);
      try (OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, PAGE, AccessFlags.REMOTE_READ, table)) {
        assertThat(table.write(0, new byte[1])).isFalse();
        assertThatThrownBy(() -> rig.probe.write(table.entry(0).dmaAddress(), new byte[1])).isInstanceOf(IllegalStateException.class);
        assertThat(catchThrowableOfType(PageFaultException.class, () -> umem.fault(va, 1, FaultMode.WRITE)).kind()).isEqualTo(Kind.READ_ONLY);
      }
    }
  }

  @Test
  void hugePagesAreLinkedWhole() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      long huge = process.hugePageSize();
      long va = process.mapHuge(2 * huge, true);
      TestPageTable table = new TestPageTable(rig.probe);
      try (OnDemandUmem umem =
          new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, 2 * huge, ACCESS | AccessFlags.HUGE_PAGES, table)) {
        umem.fault(va + 5, 1, FaultMode.WRITE);
        assertThat(umem.linkedPages()).isEqualTo(1);
        assertThat(table.write(huge - 1, new byte[] {3})).isTrue();
        process.migrate(va, huge);
        MemorySegment last = MemorySegment.ofArray(new byte[1]);
        process.read(va + huge - 1, last, 0, 1);
        assertThat(last.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 3);
      }
      long small = process.map(2 * huge, true) + huge - 1 & -huge;
      try (OnDemandUmem umem =
          new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(small, huge, ACCESS | AccessFlags.HUGE_PAGES, table)) {
        assertThat(catchThrowableOfType(PageFaultException.class, () -> umem.fault(small, 1, FaultMode.WRITE)).kind()).isEqualTo(Kind.PAGE_SIZE);
        assertThat(umem.linkedPages()).isZero();
      }
    }
  }

  @Test
  void deviceThatDoesNotSeeCachesIsRefusedWithTheReason() {
    try (Rig rig = new Rig(true, SlotOptions.DEFAULT.withCoherent(false));
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      long va = process.map(PAGE, true);
      OnDemandSource source = new OnDemandSource(rig.mapper, process, rig.machine.timers());
      DmaMappingException refused =
          catchThrowableOfType(DmaMappingException.class, () -> source.register(va, PAGE, ACCESS, new TestPageTable(rig.probe)));
      assertThat(refused.reason()).isEqualTo(Reason.UNSUPPORTED);
      assertThat(refused).hasMessageContaining("0000:01:00.0").hasMessageContaining("CPU caches");
    }
  }

  @Test
  void regionOfMorePagesThanCanBeCountedIsRefusedWithTheRule() {
    try (Rig rig = Rig.translated();
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      OnDemandSource source = new OnDemandSource(rig.mapper, process, rig.machine.timers());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> source.register(PAGE, PAGE << 31, ACCESS, new TestPageTable(rig.probe)))
          .withMessageContaining("0000:01:00.0")
          .withMessageContaining("0x1000+0x80000000000")
          .withMessageContaining("2147483647 pages");
      assertThat(process.statistics().subscriptions()).isZero();
    }
  }

  @Test
  void failedRegistrationsAndFaultsLeaveNothing() {
    boolean failed = true;
    for (int n = 1; failed; n++) {
      try (Rig rig = Rig.translated();
          ProcessMemory process = new ProcessMemory("p", rig.pool)) {
        long va = process.map(PAGES * PAGE, true);
        process.write(va, MemorySegment.ofArray(new byte[] {1}), 0, 1);
        TestPageTable table = new TestPageTable(rig.probe);
        rig.machine.failNth().arm(FailNth.Kind.PUBLISH, n);
        try (OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, PAGES * PAGE, ACCESS, table)) {
          umem.fault(va, PAGES * PAGE, FaultMode.WRITE);
        } catch (DmaMappingException e) {
          assertThat(rig.machine.failNth().fired()).isTrue();
        }
        failed = rig.machine.failNth().fired();
        assertThat(table.size()).isZero();
        assertThat(process.statistics().subscriptions()).isZero();
        assertThat(failed || n > 2).as("both links were made to fail").isTrue();
      }
    }
  }

  @Test
  @Tag("breaks:device-used-unlinked")
  void pageThatDeviceDoesNotGiveBackIsCutOffByTranslation() {
    try (Region region = new Region(Rig.translated())) {
      region.umem.fault(region.va, PAGE, FaultMode.WRITE);
      long address = region.table.entry(0).dmaAddress();
      region.table.failCommit = new IllegalStateException("hung");
      region.process.discard(region.va, PAGE);
      assertThatThrownBy(() -> region.rig.probe.read(address, 1)).isInstanceOf(IllegalStateException.class);
      assertThat(region.rig.pool.quarantinedFrames()).isZero();
      assertThatThrownBy(() -> region.umem.fault(region.va, PAGE, FaultMode.READ)).hasMessageContaining("reset it").hasRootCauseMessage("hung");
      assertThatThrownBy(region.umem::close).hasMessage("hung");
      assertThat(region.rig.mapper.liveMappings()).as("while the device's entries name the window, it is nobody else's").isEqualTo(1);
      region.table.failCommit = null;
      region.umem.close();
      assertThat(region.rig.mapper.liveMappings()).isZero();
      assertThat(region.table.size()).isZero();
    }
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void exportTakenBackFromADeviceThatDoesNotLetGoLeavesItsAddressesToNobody() {
    try (Rig rig = Rig.translated();
        MemoryBlock block = rig.machine.memory().allocate(4 * PAGE, MemoryPlacement.CONTIGUOUS);
        MemoryBlock other = rig.machine.memory().allocate(4 * PAGE, MemoryPlacement.CONTIGUOUS)) {
      TestPageTable table = new TestPageTable(rig.probe);
      try (ExportedBuffer buffer = ExportedBuffer.of(rig.machine, "frame", block.ranges());
          ExportedUmem umem = ExportedUmem.attach(rig.mapper, buffer, ACCESS, table)) {
        umem.fault();
        table.failCommit = new IllegalStateException("hung");
        assertThat(buffer.revoke().toCompletableFuture()).as("translation keeps the device out").isCompleted();
        other.segment().fill((byte) 7);
        try (DmaTransfer next = rig.mapper.newTransfer()) {
          next.map(other.ranges(), DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE, (dmaAddress, length, kind) -> true);
          assertThatThrownBy(() -> table.read(0, 1)).as("the device goes on naming what it was given").isInstanceOf(IllegalStateException.class);
        }
        assertThatThrownBy(umem::close).hasMessage("hung");
        table.failCommit = null;
      }
      assertThat(table.size()).isZero();
    }
  }

  @Test
  void withoutTranslationPageThatDeviceDoesNotGiveBackIsNeverReused() {
    Rig rig = new Rig(false, SlotOptions.DEFAULT);
    ProcessMemory process = new ProcessMemory("p", rig.pool);
    long va = process.map(PAGE, true);
    TestPageTable table = new TestPageTable(rig.probe);
    OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, PAGE, ACCESS, table);
    umem.fault(va, PAGE, FaultMode.WRITE);
    table.failCommit = new IllegalStateException("hung");
    process.discard(va, PAGE);
    assertThat(rig.pool.quarantinedFrames()).isEqualTo(1);
    assertThatThrownBy(umem::close).hasMessage("hung");
    assertThat(rig.mapper.liveMappings()).as("the window goes on holding the memory").isEqualTo(1);
    process.close();
    rig.machine.close();
  }

  @Test
  void withoutTranslationPageThatDeviceDoesNotGiveBackAtCloseIsNeverReused() {
    Rig rig = new Rig(false, SlotOptions.DEFAULT);
    ProcessMemory process = new ProcessMemory("p", rig.pool);
    long va = process.map(2 * PAGE, true);
    TestPageTable table = new TestPageTable(rig.probe);
    OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, 2 * PAGE, ACCESS, table);
    umem.fault(va, 2 * PAGE, FaultMode.WRITE);
    table.failCommit = new IllegalStateException("hung");
    assertThatThrownBy(umem::close).hasMessage("hung");
    process.discard(va, PAGE);
    assertThat(rig.pool.quarantinedFrames()).isEqualTo(1);
    table.failCommit = null;
    umem.close();
    process.close();
    assertThat(process.statistics().subscriptions()).isZero();
    assertThat(rig.pool.quarantinedFrames()).as("the device has let go of the second page").isEqualTo(1);
    rig.close();
  }
}
