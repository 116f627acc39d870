package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class HostOpsTest {
  private final FakeHost host = new FakeHost();
  private final Rig rig = new Rig(walking -> host);
  private final DeviceSlot slot = rig.plug(new ProbeDevice(), SlotOptions.DEFAULT);
  private final IommuBackend backend = new IommuBackend(IommuConfig.defaults().withFlush(FlushPolicy.LAZY));
  private final MemoryBlock block = rig.memory().allocate(1 << 20, MemoryPlacement.CONTIGUOUS);
  private final long phys = block.phys(0);
  private DmaMapper mapper;

  @BeforeEach
  void attach() {
    mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
  }

  @AfterEach
  void everythingIsGivenBack() {
    assertThat(mapper.liveMappings()).isZero();
    mapper.close();
    assertThat(host.runs).isEmpty();
    assertThat(backend.statistics()).isEqualTo(IommuStatistics.NONE);
    block.close();
    rig.close();
  }

  @Test
  void whetherWriteOnlyIsEnforcedIsTheHostsToSay() {
    try (DmaOps ops = backend.attach(rig.context(slot, DeviceLimits.UNLIMITED))) {
      assertThat(ops.enforcesWriteOnly()).isTrue();
      host.readsWhatIsWritten = true;
      assertThat(ops.enforcesWriteOnly()).isFalse();
    }
  }

  @Test
  void untrustedDeviceGetsNothingToWriteWhereTheHostLetsWritersRead() {
    FakeHost readable = new FakeHost();
    readable.readsWhatIsWritten = true;
    try (Rig other = new Rig(walking -> readable)) {
      DeviceSlot stranger = other.plug(new ProbeDevice(), SlotOptions.DEFAULT.withTrusted(false));
      MemoryBlock bytes = other.memory().allocate(1 << 16, MemoryPlacement.CONTIGUOUS);
      DmaMapper mine = other.attach(backend, stranger, DeviceLimits.UNLIMITED);
      assertThat(reasonOf(() -> mine.map(bytes.phys(0), 8192, DmaDirection.FROM_DEVICE, 0))).isEqualTo(Reason.BOUNCE_FORBIDDEN);
      try (IovaReservation window = mine.newReservation();
          SparseWindow units = mine.newWindow(4 * 4096, 4096, DmaDirection.BIDIRECTIONAL, 0)) {
        window.tryAlloc(bytes.phys(0), 8192, DmaDirection.FROM_DEVICE, 0);
        assertThat(reasonOf(() -> window.link(0, bytes.phys(0), 4096))).isEqualTo(Reason.BOUNCE_FORBIDDEN);
        assertThat(reasonOf(() -> units.link(0, bytes.phys(0), 4096, DmaDirection.FROM_DEVICE))).isEqualTo(Reason.BOUNCE_FORBIDDEN);
      }
      assertThat(readable.runs).isEmpty();
      mine.map(bytes.phys(0), 8192, DmaDirection.BIDIRECTIONAL, 0).close();
      mine.map(bytes.phys(0), 8192, DmaDirection.TO_DEVICE, 0).close();
      mine.close();
      bytes.close();
    }
  }

  private static Reason reasonOf(ThrowingCallable call) {
    DmaMappingException e = catchThrowableOfType(DmaMappingException.class, call);
    assertThat(e).isNotNull().hasMessageContaining("0000:01:00.0");
    return e.reason();
  }

  @Test
  void mappingIsOneRunOfWholeGranules() {
    DmaMapping mapping = mapper.map(phys + 100, 5000, DmaDirection.TO_DEVICE, 0);

    assertThat(mapping.dmaAddress() & 4095).isEqualTo(100);
    assertThat(host.translate(mapping.dmaAddress() + 4999, MapFlags.DEVICE_READS)).isEqualTo(phys + 5099);
    assertThat(host.translate(mapping.dmaAddress(), MapFlags.DEVICE_WRITES)).isEqualTo(-1);
    assertThat(host.mapCalls).isEqualTo(1);
    mapping.close();
    assertThat(host.unmapCalls).isEqualTo(1);
  }

  @Test
  void writesAreNotTrackedAndTheHostIsNamedAsTheReason() {
    assertThat(mapper.limits().dirtyTracking()).isFalse();
    assertThatThrownBy(mapper::dirtyTracking)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED))
        .hasMessageStartingWith("0000:01:00.0: this stack cannot track what the device writes: a host keeps its translations")
        .hasMessageContaining("; have the device track");
  }

  @Test
  void hostIsCalledAtSyncAndNotBefore() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(phys, 3 * 4096, DmaDirection.BIDIRECTIONAL, 0);
    window.link(0, phys, 4096);
    window.link(4096, phys + 4096, 4096);
    assertThat(host.mapCalls).isZero();

    window.sync(0, 4096);
    assertThat(host.translate(window.address(), 3)).isEqualTo(phys);
    assertThat(host.translate(window.address() + 4096, 3)).isEqualTo(-1);
    window.sync(0, 3 * 4096);
    assertThat(host.translate(window.address() + 4096, 3)).isEqualTo(phys + 4096);
    assertThat(host.mapCalls).isEqualTo(2);
    window.close();
  }

  @Test
  void rangesOfOneTransferAreMergedIntoMaximalRuns() {
    DmaTransfer transfer = mapper.newTransfer();
    long[][] ranges = {{phys, 4096}, {phys + 8192, 4096}, {phys + 12288, 8192}, {phys + 65536, 100}};
    List<Long> entries = new ArrayList<>();
    transfer.map(new Source(ranges), DmaDirection.FROM_DEVICE, 0, (address, length, kind) -> entries.add(length) && entries.add(address));

    assertThat(entries.getFirst()).isEqualTo(4 * 4096 + 100);
    assertThat(host.runs).hasSize(3);
    assertThat(host.translate(entries.get(1) + 4 * 4096 + 99, MapFlags.DEVICE_WRITES)).isEqualTo(phys + 65536 + 99);
    transfer.close();
  }

  @Test
  @Tag("breaks:link-overlaps+overlapping-write+unlink-of-hole+unlink-splits")
  void unlinkTakesWholeRunsOnly() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(phys, 8 * 4096, DmaDirection.BIDIRECTIONAL, 0);
    window.link(0, phys, 2 * 4096);
    window.link(2 * 4096, phys, 4096);
    window.link(4 * 4096, phys, 4096);
    window.sync(0, 8 * 4096);

    assertThat(reasonOf(() -> window.unlink(0, 4096))).isEqualTo(Reason.NOT_SPLITTABLE);
    assertThat(reasonOf(() -> window.unlink(4096, 2 * 4096))).isEqualTo(Reason.NOT_SPLITTABLE);
    assertThat(reasonOf(() -> window.unlink(0, 4 * 4096))).isEqualTo(Reason.NOT_LINKED);
    assertThat(reasonOf(() -> window.unlink(3 * 4096, 4096))).isEqualTo(Reason.NOT_LINKED);
    assertThat(reasonOf(() -> window.link(4096, phys + 4096, 4096))).isEqualTo(Reason.ALREADY_LINKED);
    assertThat(host.unmapCalls).isZero();
    window.unlink(0, 3 * 4096);
    assertThat(host.runs).hasSize(1);
    window.close();
  }

  @Test
  @Tag("breaks:overlapping-write")
  void publishThatFailsUndoesItselfAlone() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(phys, 8 * 4096, DmaDirection.BIDIRECTIONAL, 0);
    window.link(0, phys, 4096);
    window.sync(0, 4096);
    for (int i = 1; i < 5; i++) {
      window.link(i * 4096, phys, 4096);
    }
    host.failMapAt = 4;

    assertThat(reasonOf(() -> window.sync(0, 5 * 4096))).isEqualTo(Reason.PIN_LIMIT);
    assertThat(host.runs).hasSize(1);
    window.sync(0, 5 * 4096);
    assertThat(host.runs).hasSize(5);
    window.close();
  }

  @Test
  void runThatAFailingPublishUnmappedInPartIsMappedWholeByTheNext() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(phys, 3 * 8192, DmaDirection.BIDIRECTIONAL, 0);
    for (int i = 0; i < 3; i++) {
      window.link(i * 8192, phys + i * 8192, 8192);
    }
    host.failMapAt = 3;
    host.halfUnmaps = 1;
    assertThat(reasonOf(() -> window.sync(0, 3 * 8192))).isEqualTo(Reason.PIN_LIMIT);

    host.shortUnmaps = true;
    assertThat(reasonOf(() -> window.sync(0, 3 * 8192))).isEqualTo(Reason.QUARANTINED);
    host.shortUnmaps = false;
    window.sync(0, 3 * 8192);

    for (int offset = 0; offset < 3 * 8192; offset += 4096) {
      assertThat(host.translate(window.address() + offset, MapFlags.ACCESS)).isEqualTo(phys + offset);
    }
    window.close();
  }

  @Test
  void mappingThatTheHostRefusesLeavesNothing() {
    host.failMapAt = 1;
    assertThat(reasonOf(() -> mapper.map(phys, 4096, DmaDirection.TO_DEVICE, 0))).isEqualTo(Reason.PIN_LIMIT);
    assertThat(backend.statistics().liveRanges()).isZero();
  }

  @Test
  void runThatTheHostDoesNotConfirmIsQuarantined() {
    DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.TO_DEVICE, 0);
    host.shortUnmaps = true;

    assertThat(reasonOf(mapping::unmap)).isEqualTo(Reason.QUARANTINED);
    assertThat(backend.statistics().liveRanges()).isEqualTo(1);
    assertThat(mapper.quarantined()).isPositive();
    host.shortUnmaps = false;
    mapping.close();
    assertThat(mapper.releaseQuarantined()).isZero();
    assertThat(backend.statistics().liveRanges()).isZero();
  }

  @Test
  void windowsNeedASlotForEveryUnit() {
    host.slots = 3;
    assertThat(reasonOf(() -> mapper.newWindow(4 * 4096, 4096, DmaDirection.BIDIRECTIONAL, 0))).isEqualTo(Reason.MAPPING_SLOTS);
    try (SparseWindow window = mapper.newWindow(3 * 8192, 8192, DmaDirection.BIDIRECTIONAL, 0)) {
      window.link(0, phys, 2 * 8192, DmaDirection.BIDIRECTIONAL);
      assertThat(host.runs).hasSize(2);
      window.unlink(8192, 8192);
      assertThat(window.isLinked(0)).isTrue();
      assertThat(window.isLinked(8192)).isFalse();
      assertThat(host.translate(window.address() + 8191, 3)).isEqualTo(phys + 8191);
    }
  }

  @Test
  void slotsThatRunOutAreAReason() {
    host.slots = 1;
    try (DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.TO_DEVICE, 0)) {
      assertThat(mapping.needsUnmap()).isTrue();
      assertThat(reasonOf(() -> mapper.map(phys, 4096, DmaDirection.TO_DEVICE, 0))).isEqualTo(Reason.MAPPING_SLOTS);
    }
  }

  @Test
  void tablesCannotBeSetAside() {
    IovaReservation window = mapper.newReservation();
    assertThat(reasonOf(() -> window.tryAlloc(0, 4096, 0, -1L, DmaDirection.TO_DEVICE, 0, true))).isEqualTo(Reason.UNSUPPORTED);
    window.close();
  }

  @Test
  void addressesStayInsideTheHostsWindows() {
    mapper.close();
    host.windows = List.of(new AddressRange(1L << 32, (1L << 32) + 0x3fff, "high"), new AddressRange(0x10000, 0x1ffff, "low"));
    mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
    List<IovaReservation> all = new ArrayList<>();
    DmaMappingException exhausted = null;
    while (exhausted == null) {
      IovaReservation window = mapper.newReservation();
      try {
        window.tryAlloc(0, 4096, DmaDirection.TO_DEVICE, 0);
        all.add(window);
        assertThat(host.windows).anyMatch(range -> range.overlaps(window.address(), window.address()));
      } catch (DmaMappingException e) {
        exhausted = e;
        window.close();
      }
    }
    assertThat(all).hasSize(16 + 4);
    all.forEach(IovaReservation::close);
  }

  @Test
  void devicesThatDoNotSnoopAreRefusedAtAttach() {
    DeviceSlot odd = rig.plug(new ProbeDevice(), SlotOptions.DEFAULT.withCoherent(false));
    DmaMappingException e = catchThrowableOfType(DmaMappingException.class, () -> rig.attach(backend, odd, DeviceLimits.UNLIMITED));
    assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED);
  }

  @Test
  void everyMapCallMayFailWithoutLeavingAnything() {
    Random random = new Random(7);
    for (int fail = 1; fail < 40; fail++) {
      host.mapCalls = 0;
      host.failMapAt = fail;
      DmaTransfer transfer = mapper.newTransfer();
      long[][] ranges = new long[8][];
      for (int i = 0; i < ranges.length; i++) {
        ranges[i] = new long[] {phys + random.nextInt(200) * 4096L, 4096};
      }
      try {
        transfer.map(new Source(ranges), DmaDirection.TO_DEVICE, 0, (address, length, kind) -> true);
        transfer.unmap();
      } catch (DmaMappingException e) {
        assertThat(e.reason()).isEqualTo(Reason.PIN_LIMIT);
      }
      transfer.close();
      assertThat(host.runs).isEmpty();
      assertThat(backend.statistics().liveRanges()).isZero();
    }
  }

  private record Source(long[][] ranges, int[] at) implements PhysRanges {
    Source(long[][] ranges) {
      this(ranges, new int[1]);
    }

    @Override
    public void rewind() {
      at[0] = 0;
    }

    @Override
    public int fill(long[] phys, long[] length) {
      int filled = 0;
      while (at[0] < ranges.length && filled < phys.length) {
        phys[filled] = ranges[at[0]][0];
        length[filled++] = ranges[at[0]++][1];
      }
      return filled;
    }
  }
}
