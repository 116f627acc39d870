package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.machine.model.FailNth;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class LazyFlushTest {
  private static final long TEN_MILLIS = 10_000_000;

  private final Rig rig = new Rig("iotlb", "normal");
  private final ProbeDevice device = new ProbeDevice();
  private final DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT.withAddressBits(36));
  private final IommuBackend backend = new IommuBackend(IommuConfig.defaults().withFlush(FlushPolicy.LAZY));
  private final MemoryBlock block = rig.memory().allocate(4 << 20, MemoryPlacement.CONTIGUOUS);
  private final long phys = block.phys(0);
  private DmaMapper mapper;

  @BeforeEach
  void attach() {
    mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
  }

  @AfterEach
  void everythingIsGivenBack() {
    mapper.close();
    Rig.requireGivenBack(backend);
    rig.close();
  }

  private long invalidations() {
    return rig.machine.stats().invalidations();
  }

  private void passTime(long nanos) {
    long end = rig.timers().nanoTime() + nanos;
    while (rig.timers().nanoTime() < end) {
      rig.timers().pause();
    }
    // What has come due runs on the next turn.
    rig.timers().pause();
  }

  @Test
  void unmapDoesNotInvalidateAndAddressesAreNotReusedUntilTheFlush() {
    DmaMapping mapping = mapper.newMapping();
    Set<Long> seen = new HashSet<>();
    long before = invalidations();
    for (int i = 0; i < 200; i++) {
      mapping.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
      assertThat(seen.add(mapping.dmaAddress())).as("address handed out again before a flush").isTrue();
      device.tryRead(mapping.dmaAddress(), 1);
      mapping.unmap();
    }
    assertThat(invalidations()).isEqualTo(before);
    assertThat(backend.statistics().deferredRanges()).isEqualTo(200);

    passTime(TEN_MILLIS);

    assertThat(invalidations()).isEqualTo(before + 1);
    assertThat(backend.statistics().deferredRanges()).isZero();
    assertThat(backend.statistics().liveRanges()).isZero();
    mapping.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
    assertThat(seen).contains(mapping.dmaAddress());
    mapping.close();
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void whatIsUnmappedWhileTheClockTakesNoTasksIsFlushedAtOnceAndReleasedOnce() {
    DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
    long address = mapping.dmaAddress();
    device.tryRead(address, 1);
    rig.refusesTimers = true;

    mapping.close();

    assertThat(device.tryRead(address, 1)).isNull();
    assertThat(backend.statistics().deferredRanges()).isZero();
    assertThat(backend.statistics().liveRanges()).isZero();
  }

  @Test
  void whatIsUnmappedWithoutClockAndFlushWaitsInTheQueueAlone() {
    DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
    rig.refusesTimers = true;
    rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);

    mapping.close();

    assertThat(backend.statistics().deferredRanges()).isOne();
    assertThat(backend.statistics().liveRanges()).isOne();
    mapper.awaitQuiescence();
    assertThat(backend.statistics().liveRanges()).isZero();
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void deviceReachesUnmappedMemoryOnlyUntilTheFlush() {
    DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
    long address = mapping.dmaAddress();
    device.tryRead(address, 1);
    mapping.close();
    assertThat(device.tryRead(address, 1)).as("the window that lazy leaves open").isNotNull();

    mapper.awaitQuiescence();
    assertThat(device.tryRead(address, 1)).isNull();
  }

  @Test
  void addressesThatWaitForAFlushAreNotMissedWhicheverThreadFlushes() throws Exception {
    DmaMapper narrow = rig.attach(backend, rig.plug(new ProbeDevice(), SlotOptions.DEFAULT), DeviceLimits.ofBits(20));
    try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
      List<Future<?>> drivers = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        long page = phys + i * 4096L;
        drivers.add(
            threads.submit(
                () -> {
                  DmaMapping mapping = narrow.newMapping();
                  for (int k = 0; k < 5_000; k++) {
                    mapping.map(page, 4096, DmaDirection.BIDIRECTIONAL, 0);
                    mapping.unmap();
                  }
                  mapping.close();
                }));
      }
      for (Future<?> driver : drivers) {
        driver.get();
      }
    }
    narrow.close();
  }

  @Test
  void tablesWaitForTheFlushToo() {
    IovaReservation window = mapper.newReservation();
    window.tryAlloc(0, 4 << 20, DmaDirection.BIDIRECTIONAL, 0);
    for (long at = 0; at < 4 << 20; at += 4096) {
      window.link(at, phys + (at ^ 4096), 4096);
    }
    window.sync(0, 4 << 20);
    long tables = backend.statistics().tableBytes();
    window.destroy();
    assertThat(backend.statistics().tableBytes()).isEqualTo(tables);

    mapper.awaitQuiescence();
    assertThat(backend.statistics().tableBytes()).isEqualTo(tables - 2 * 4096);
    window.close();
  }

  @Test
  void batchOfPlainUnmapsIsDeferredAsAWhole() {
    long before = invalidations();
    try (InvalidationBatch batch = mapper.newBatch()) {
      for (int i = 0; i < 10; i++) {
        DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
        mapping.unmap(batch);
        mapping.close();
      }
    }
    assertThat(invalidations()).isEqualTo(before);
    assertThat(backend.statistics().deferredRanges()).isEqualTo(10);
    assertThat(backend.statistics().liveRanges()).as("no address is reused before the flush").isEqualTo(10);
    mapper.awaitQuiescence();
    assertThat(invalidations()).isEqualTo(before + 1);
    assertThat(backend.statistics().liveRanges()).isZero();
  }

  @Test
  @Tag("breaks:device-used-unlinked+overlapping-write")
  void batchThatAlsoUnlinksInvalidatesForThat() {
    IovaReservation reservation = mapper.newReservation();
    reservation.tryAlloc(0, 8192, DmaDirection.BIDIRECTIONAL, 0);
    reservation.link(0, phys, 8192);
    reservation.sync(0, 8192);
    long address = reservation.address();
    DmaMapping mapping = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
    device.tryRead(address, 1);
    long before = invalidations();
    try (InvalidationBatch batch = mapper.newBatch()) {
      mapping.unmap(batch);
      reservation.unlink(0, 4096, batch);
    }
    assertThat(invalidations()).isEqualTo(before + 1);
    assertThat(device.tryRead(address, 1)).isNull();
    mapping.close();
    reservation.close();
  }

  @Test
  @Tag("breaks:device-used-unmapped+overlapping-write")
  void teardownAfterDetachIsStrict() {
    DmaMapping alone = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
    DmaMapping batched = mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
    long first = alone.dmaAddress();
    long second = batched.dmaAddress();
    device.tryRead(first, 1);
    device.tryRead(second, 1);
    try (InvalidationBatch batch = mapper.newBatch()) {
      mapper.detach();
      alone.close();
      assertThat(device.tryRead(first, 1)).isNull();
      batched.unmap(batch);
    }
    assertThat(device.tryRead(second, 1)).isNull();
    batched.close();
  }

  @Test
  void windowsUnlinkAndCoherentMemoryAreStrict() {
    long before = invalidations() - 1;
    var window = mapper.newWindow(1 << 20, 4096, DmaDirection.BIDIRECTIONAL, 0);
    window.link(0, phys, 4096, DmaDirection.BIDIRECTIONAL);
    window.unlink(0, 4096);
    assertThat(invalidations()).isEqualTo(before + 2);
    window.close();
    assertThat(invalidations()).isEqualTo(before + 3);
    mapper.allocateCoherent(100).close();
    assertThat(invalidations()).isEqualTo(before + 4);
    IovaReservation reservation = mapper.newReservation();
    reservation.tryAlloc(0, 8192, DmaDirection.BIDIRECTIONAL, 0);
    reservation.link(0, phys, 8192);
    reservation.unlink(0, 4096);
    assertThat(invalidations()).isEqualTo(before + 5);
    reservation.close();
    assertThat(invalidations()).isEqualTo(before + 5);
    assertThat(backend.statistics().deferredRanges()).isEqualTo(1);
  }

  @Test
  @Tag("breaks:device-used-unmapped")
  void framesOfClosedMemoryAreReusedOnlyAfterAFlush() {
    MemoryBlock secret = rig.memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
    DmaMapping mapping = mapper.map(secret.phys(0), 4096, DmaDirection.BIDIRECTIONAL, 0);
    long address = mapping.dmaAddress();
    long secretPhys = secret.phys(0);
    device.tryRead(address, 1);
    mapping.close();
    secret.close();

    boolean reused = false;
    for (int i = 0; i < 70_000 && !reused; i++) {
      try {
        reused = rig.memory().allocate(4096, MemoryPlacement.CONTIGUOUS).phys(0) == secretPhys;
      } catch (DmaMappingException e) {
        break;
      }
    }
    assertThat(reused).isTrue();
    assertThat(device.tryRead(address, 1)).isNull();
  }

  @Test
  void exhaustionFlushesBeforeItFails() {
    IovaReservation window = mapper.newReservation();
    for (int i = 0; i < 64; i++) {
      window.tryAlloc(0, 1L << 34, DmaDirection.BIDIRECTIONAL, 0);
      window.link(0, phys, 4096);
      window.destroy();
    }
    window.close();
  }

  @Test
  void failedFlushOfAFullQueueQuarantinesWhatCouldNotBeQueued() {
    DmaMapping mapping = mapper.newMapping();
    rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
    DmaMappingException refusal = null;
    int rounds = 0;
    while (refusal == null && rounds++ < 10_000) {
      mapping.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0);
      refusal = catchThrowableOfType(DmaMappingException.class, mapping::unmap);
    }
    assertThat(refusal.reason()).isEqualTo(Reason.QUARANTINED);
    assertThat(mapper.quarantined()).isEqualTo(1);
    assertThat(backend.statistics().liveRanges()).isEqualTo(rounds);

    mapper.awaitQuiescence();
    assertThat(backend.statistics().liveRanges()).isEqualTo(1);
    assertThat(mapper.releaseQuarantined()).isZero();
    assertThat(backend.statistics().liveRanges()).isZero();
    mapping.close();
  }

  @Test
  void failedFlushOnTheClockKeepsWhatWaits() {
    mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0).close();
    rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
    passTime(TEN_MILLIS);
    assertThat(rig.machine.failNth().fired()).isTrue();
    assertThat(backend.statistics().deferredRanges()).isEqualTo(1);

    mapper.map(phys, 4096, DmaDirection.BIDIRECTIONAL, 0).close();
    passTime(TEN_MILLIS);
    assertThat(backend.statistics().deferredRanges()).isZero();
  }
}
