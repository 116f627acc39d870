package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DirtyTracking;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.machine.model.FailNth;
import io.twostep.tck.ForwardingIommu;
import io.twostep.tck.ProbeDevice;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which pages a device wrote, read from the dirty bits that modelled hardware sets through its caches. */
class DirtyTrackingTest {
  private static final int STEPS = 4000;

  private static final class Fixture implements AutoCloseable {
    final Rig rig;
    final ProbeDevice device = new ProbeDevice();
    final DeviceSlot slot;
    final IommuBackend backend;
    final DmaMapper mapper;

    Fixture(Function<TableWalkingIommu, Iommu> wrap, IommuConfig config, String... settings) {
      rig = new Rig(wrap, settings);
      slot = rig.plug(device, SlotOptions.DEFAULT.withAddressBits(32));
      backend = new IommuBackend(config);
      mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED);
    }

    Fixture(String... settings) {
      this(iommu -> iommu, IommuConfig.defaults(), settings);
    }

    DirtyBitmap everything() {
      return new DirtyBitmap(0, 1L << 32, 4096);
    }

    @Override
    public void close() {
      mapper.close();
      assertThat(backend.statistics().leaks()).isZero();
      assertThat(backend.statistics().tableBytes()).isZero();
      backend.close();
      rig.close();
    }
  }

  @ParameterizedTest(name = "{0} granule {1} {2} {3}")
  @CsvSource({
    "vtd, 4096, STRICT, adversarial",
    "vtd, 4096, LAZY, adversarial",
    "vtd, 16384, STRICT, normal",
    "amd, 4096, STRICT, adversarial",
    "amd, 16384, LAZY, adversarial",
    "amd, 4096, LAZY, normal",
  })
  @Tag("may-break:device-used-beyond-end+device-used-hole+device-used-unknown-address+device-used-unlinked+device-used-unmapped")
  @Tag("may-break:device-used-wrong-direction+overlapping-write+too-many-overlaps")
  void everyWriteIsReportedAndNothingElse(String format, long granule, FlushPolicy flush, String iotlb) {
    long seed = Long.getLong("twostep.seed", System.nanoTime());
    run(iommu -> iommu, IommuConfig.defaults().withGranule(granule).withFlush(flush), format, iotlb, seed, new AtomicBoolean());
  }

  @Test
  @Tag("may-break:device-used-beyond-end+device-used-hole+device-used-unknown-address+device-used-unlinked+device-used-unmapped")
  @Tag("may-break:device-used-wrong-direction+overlapping-write+too-many-overlaps")
  void forgottenInvalidationAfterClearingIsCaught() {
    for (String iotlb : new String[] {"adversarial", "normal"}) {
      AtomicBoolean forget = new AtomicBoolean(true);
      Function<TableWalkingIommu, Iommu> forgetful =
          real ->
              new ForwardingIommu(real) {
                @Override
                public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
                  boolean ofTracker = !tablesChanged && forget.get() && calledByTracker();
                  if (!ofTracker) {
                    real.invalidate(firstIova, lastIova, tablesChanged);
                  }
                }
              };
      assertThatThrownBy(() -> run(forgetful, IommuConfig.defaults(), "vtd", iotlb, 5, forget))
          .isInstanceOf(AssertionError.class)
          .hasStackTraceContaining("no write is lost");
    }
  }

  private static boolean calledByTracker() {
    return StackWalker.getInstance().walk(frames -> frames.anyMatch(frame -> frame.getClassName().endsWith("TableTracker")));
  }

  private static void run(
      Function<TableWalkingIommu, Iommu> wrap, IommuConfig config, String format, String iotlb, long seed, AtomicBoolean forget) {
    try (Fixture fixture = new Fixture(wrap, config, "formats", format, "iotlb", iotlb, "seed", Long.toString(seed & 0xffff))) {
      try (DirtyHistory history = new DirtyHistory(fixture.rig, fixture.mapper, fixture.device, seed)) {
        history.run(STEPS);
      } catch (AssertionError e) {
        throw new AssertionError("-Dtwostep.seed=%d %s".formatted(seed, config), e);
      } finally {
        forget.set(false);
      }
    }
  }

  @Test
  void marksOfARemovedMappingStayUntilTheyAreRead() {
    try (Fixture f = new Fixture("iotlb", "adversarial");
        MemoryBlock block = f.rig.memory().allocate(1 << 20, MemoryPlacement.CONTIGUOUS)) {
      DirtyTracking tracking = f.mapper.dirtyTracking();
      tracking.start();
      assertThat(tracking.granularity()).isEqualTo(4096);
      IovaReservation window = f.mapper.newReservation();
      window.tryAlloc(0, 16384, DmaDirection.BIDIRECTIONAL, 0);
      for (int i = 0; i < 4; i++) {
        window.link(i * 4096L, block.phys((7L - 2 * i) * 4096), 4096);
      }
      window.sync(0, 16384);
      long written = window.address() + 8192;
      f.device.tryWrite(written, new byte[8]);
      window.close();
      DirtyBitmap bitmap = f.everything();
      tracking.read(bitmap);
      tracking.readAndClear(bitmap);
      assertThat(bitmap.dirtyPages()).isEqualTo(1);
      assertThat(bitmap.isDirty(written)).isTrue();
      bitmap.clear();
      tracking.readAndClear(bitmap);
      assertThat(bitmap.dirtyPages()).isZero();
      tracking.stop();
    }
  }

  @Test
  void clearingPartOfALargeLeafKeepsTheMarkOfTheRest() {
    try (Fixture f = new Fixture("iotlb", "adversarial");
        MemoryBlock block = f.rig.memory().allocate(4 << 20, MemoryPlacement.CONTIGUOUS)) {
      long phys = block.phys(0) + (2 << 20) - 1 & -(2L << 20);
      DirtyTracking tracking = f.mapper.dirtyTracking();
      tracking.start();
      DmaMapping mapping = f.mapper.map(phys, 2 << 20, DmaDirection.FROM_DEVICE, 0);
      long iova = mapping.dmaAddress();
      f.device.tryWrite(iova + 12345, new byte[1]);
      DirtyBitmap middle = new DirtyBitmap(iova + 4096, 8192, 4096);
      tracking.readAndClear(middle);
      assertThat(middle.dirtyPages()).isEqualTo(2);
      DirtyBitmap whole = new DirtyBitmap(iova, 2 << 20, 4096);
      tracking.readAndClear(whole);
      assertThat(whole.dirtyPages()).isEqualTo(510);
      assertThat(whole.isDirty(iova + 4096)).isFalse();
      // Bits smaller than a granule: clearing one leaves the mark of the others.
      f.device.tryWrite(iova, new byte[1]);
      DirtyBitmap small = new DirtyBitmap(iova + 512, 512, 512);
      tracking.readAndClear(small);
      assertThat(small.dirtyPages()).isEqualTo(1);
      DirtyBitmap first = new DirtyBitmap(iova, 4096, 4096);
      tracking.readAndClear(first);
      assertThat(first.dirtyPages()).isEqualTo(1);
      mapping.close();
      tracking.stop();
    }
  }

  @Test
  void failedInvalidationKeepsAllMarks() {
    try (Fixture f = new Fixture("iotlb", "adversarial");
        MemoryBlock block = f.rig.memory().allocate(8192, MemoryPlacement.CONTIGUOUS)) {
      DirtyTracking tracking = f.mapper.dirtyTracking();
      f.rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
      assertThat(catchThrowableOfType(DmaMappingException.class, tracking::start).reason()).isEqualTo(Reason.QUARANTINED);
      assertThat(tracking.isTracking()).isFalse();
      tracking.start();
      DmaMapping mapping = f.mapper.map(block.phys(0), 8192, DmaDirection.BIDIRECTIONAL, 0);
      f.device.tryWrite(mapping.dmaAddress(), new byte[1]);
      DirtyBitmap bitmap = f.everything();
      f.rig.machine.failNth().arm(FailNth.Kind.INVALIDATE, 1);
      assertThat(catchThrowableOfType(DmaMappingException.class, () -> tracking.readAndClear(bitmap)).reason())
          .isEqualTo(Reason.QUARANTINED);
      assertThat(bitmap.dirtyPages()).isZero();
      tracking.readAndClear(bitmap);
      assertThat(bitmap.isDirty(mapping.dmaAddress())).isTrue();
      mapping.close();
      tracking.stop();
    }
  }

  @Test
  void whatIsWrittenBetweenARefusedStartAndTheNextIsNotTold() {
    AtomicBoolean refuses = new AtomicBoolean(true);
    try (Fixture f = new Fixture(refusingSwitch(true, refuses), IommuConfig.defaults());
        MemoryBlock block = f.rig.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      DirtyTracking tracking = f.mapper.dirtyTracking();
      assertThatThrownBy(tracking::start).hasMessage("the switch is stuck");
      writeOnce(f, block);
      refuses.set(false);
      startClean(f);
      tracking.stop();
    }
  }

  @Test
  void whatIsWrittenBetweenARefusedStopAndTheNextStartIsNotTold() {
    AtomicBoolean refuses = new AtomicBoolean(true);
    try (Fixture f = new Fixture(refusingSwitch(false, refuses), IommuConfig.defaults());
        MemoryBlock block = f.rig.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      DirtyTracking tracking = f.mapper.dirtyTracking();
      tracking.start();
      assertThatThrownBy(tracking::stop).hasMessage("the switch is stuck");
      writeOnce(f, block);
      refuses.set(false);
      startClean(f);
      tracking.stop();
    }
  }

  @Test
  void marksThatALiveMappingGotWhileAStartFailedAreNotTold() {
    AtomicReference<Runnable> beforeItFails = new AtomicReference<>();
    Function<TableWalkingIommu, Iommu> failing =
        real ->
            new ForwardingIommu(real) {
              @Override
              public void invalidateAll() {
                Runnable write = beforeItFails.getAndSet(null);
                if (write != null) {
                  write.run();
                  throw new IllegalStateException("the queue is stuck");
                }
                real.invalidateAll();
              }
            };
    try (Fixture f = new Fixture(failing, IommuConfig.defaults());
        MemoryBlock block = f.rig.memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
        DmaMapping mapping = f.mapper.map(block.phys(0), 4096, DmaDirection.BIDIRECTIONAL, 0)) {
      DirtyTracking tracking = f.mapper.dirtyTracking();
      beforeItFails.set(() -> f.device.tryWrite(mapping.dmaAddress(), new byte[1]));
      assertThatThrownBy(tracking::start).hasMessage("the queue is stuck");
      startsCleanAndSeesWrites(f, mapping);
    }
  }

  @Test
  void marksThatALiveMappingGotAfterARefusedStopAreNotTold() {
    AtomicBoolean refuses = new AtomicBoolean(true);
    try (Fixture f = new Fixture(refusingSwitch(false, refuses), IommuConfig.defaults());
        MemoryBlock block = f.rig.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      DirtyTracking tracking = f.mapper.dirtyTracking();
      tracking.start();
      assertThatThrownBy(tracking::stop).hasMessage("the switch is stuck");
      try (DmaMapping mapping = f.mapper.map(block.phys(0), 4096, DmaDirection.BIDIRECTIONAL, 0)) {
        f.device.tryWrite(mapping.dmaAddress(), new byte[1]);
        refuses.set(false);
        startsCleanAndSeesWrites(f, mapping);
      }
    }
  }

  private static DirtyBitmap startClean(Fixture f) {
    DirtyTracking tracking = f.mapper.dirtyTracking();
    tracking.start();
    DirtyBitmap bitmap = f.everything();
    tracking.read(bitmap);
    assertThat(bitmap.dirtyPages()).isZero();
    return bitmap;
  }

  private static void startsCleanAndSeesWrites(Fixture f, DmaMapping mapping) {
    DirtyTracking tracking = f.mapper.dirtyTracking();
    DirtyBitmap bitmap = startClean(f);
    f.device.tryWrite(mapping.dmaAddress(), new byte[1]);
    tracking.read(bitmap);
    assertThat(bitmap.dirtyPages()).isOne();
    tracking.stop();
  }

  private static void writeOnce(Fixture f, MemoryBlock block) {
    try (DmaMapping mapping = f.mapper.map(block.phys(0), 4096, DmaDirection.BIDIRECTIONAL, 0)) {
      f.device.tryWrite(mapping.dmaAddress(), new byte[1]);
    }
  }

  /** Hardware that sets dirty bits, and goes on doing so when it fails to be switched {@code on}, or off. */
  private static Function<TableWalkingIommu, Iommu> refusingSwitch(boolean on, AtomicBoolean refuses) {
    return real ->
        new ForwardingIommu(real) {
          @Override
          public void trackDirty(boolean wanted) {
            if (wanted == on && refuses.get()) {
              real.trackDirty(true);
              throw new IllegalStateException("the switch is stuck");
            }
            real.trackDirty(wanted);
          }
        };
  }

  @Test
  void startingIsCleanAndOneReaderTracksAnAddressSpace() {
    try (Fixture f = new Fixture("iotlb", "normal");
        MemoryBlock block = f.rig.memory().allocate(8192, MemoryPlacement.CONTIGUOUS)) {
      assertThat(f.mapper.limits().dirtyTracking()).isTrue();
      DmaMapping mapping = f.mapper.map(block.phys(0), 8192, DmaDirection.BIDIRECTIONAL, 0);
      f.device.tryWrite(mapping.dmaAddress(), new byte[1]);
      DirtyTracking tracking = f.mapper.dirtyTracking();
      for (int round = 0; round < 3; round++) {
        DirtyBitmap bitmap = startClean(f);
        f.device.tryWrite(mapping.dmaAddress() + 4096, new byte[1]);
        tracking.read(bitmap);
        assertThat(bitmap.dirtyPages()).isPositive();
        tracking.stop();
      }
      tracking.start();
      try (DmaMapper second = f.rig.attach(f.backend, f.slot, DeviceLimits.UNLIMITED)) {
        assertThatThrownBy(() -> second.dirtyTracking().start()).isInstanceOf(IllegalStateException.class).hasMessageContaining("tracked already");
        tracking.stop();
        second.dirtyTracking().start();
      }
      tracking.start();
      mapping.close();
    }
  }

  @Test
  void hardwareWithoutDirtyBitsIsRefused() {
    Function<TableWalkingIommu, Iommu> plain =
        real ->
            new ForwardingIommu(real) {
              @Override
              public boolean tracksDirty() {
                return false;
              }
            };
    try (Fixture f = new Fixture(plain, IommuConfig.defaults())) {
      assertThat(f.mapper.limits().dirtyTracking()).isFalse();
      assertThat(catchThrowableOfType(DmaMappingException.class, f.mapper::dirtyTracking))
          .hasMessageContaining(f.slot.address().text())
          .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED));
    }
  }

  @Test
  void readingWhileTablesComeAndGoLosesNothing() throws InterruptedException {
    try (Fixture f = new Fixture("iotlb", "normal");
        MemoryBlock block = f.rig.memory().allocate(8 << 20, MemoryPlacement.CONTIGUOUS)) {
      DirtyTracking tracking = f.mapper.dirtyTracking();
      tracking.start();
      DirtyBitmap reported = f.everything();
      // Fair: a reader that took it again at once could leave the other thread waiting for as long as the scheduler likes.
      ReentrantLock turn = new ReentrantLock(true);
      AtomicBoolean done = new AtomicBoolean();
      AtomicReference<Throwable> failure = new AtomicReference<>();
      Thread reader =
          new Thread(
              () -> {
                while (!done.get()) {
                  locked(turn, () -> tracking.readAndClear(reported));
                }
              });
      reader.setUncaughtExceptionHandler((thread, e) -> failure.set(e));
      reader.start();
      try (IovaReservation window = f.mapper.newReservation()) {
        for (int round = 0; round < 1500; round++) {
          locked(turn, reported::clear);
          long length = (2L << 20) << round % 3;
          window.tryAlloc(0, length, DmaDirection.FROM_DEVICE, 0);
          for (long at = 0; at < length; at += length / 8) {
            window.link(at, block.phys(at), 4096);
          }
          window.sync(0, length);
          long target = window.address() + (round & 7) * (length / 8);
          assertThat(f.device.tryWrite(target, new byte[16])).isTrue();
          window.destroy();
          locked(turn, () -> tracking.readAndClear(reported));
          assertThat(reported.isDirty(target)).as("write to 0x%x of round %d", target, round).isTrue();
        }
      } finally {
        done.set(true);
        reader.join();
      }
      assertThat(failure.get()).isNull();
      tracking.stop();
    }
  }

  private static void locked(Lock lock, Runnable work) {
    lock.lock();
    try {
      work.run();
    } finally {
      lock.unlock();
    }
  }
}
