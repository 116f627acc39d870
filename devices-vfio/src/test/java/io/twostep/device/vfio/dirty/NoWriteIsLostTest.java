package io.twostep.device.vfio.dirty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.MigratableDevice;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.dirty.TrackedRanges.Range;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.guest.GuestWorkload;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DmaDirection;
import io.twostep.machine.model.FailNth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A copy that takes over only what is told to be written stays equal to a memory that a device never stops writing. */
class NoWriteIsLostTest {
  private static final long GUEST = 1 << 20;

  /** A guest, its device at work, and a copy of its memory. */
  private static final class Copied implements AutoCloseable {
    final Host host;
    final GuestWorkload workload;
    final DirtyBitmap bitmap;
    final DirtySource source;
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment copy = arena.allocate(GUEST);
    private long submitted;

    Copied(ModelConfig config, WriteTracking by) {
      host = new Host(Seeds.SEED, "adversarial", GUEST, 1, config.withPagesPerTurn(3));
      workload = new GuestWorkload(host.guest, device().guestRegisters(), 0, GUEST, Seeds.SEED);
      bitmap = host.guest.newBitmap();
      source = device().newDirtySource(by);
      live(20);
      host.guest.startLog();
      source.start();
      MemorySegment.copy(host.guest.segment(), 0, copy, 0, GUEST);
    }

    MigratableDevice device() {
      return host.devices.getFirst();
    }

    void live(int pauses) {
      for (int i = 0; i < pauses; i++) {
        submitted += 20_000;
        workload.work(submitted);
        host.machine.timers().pause();
      }
    }

    /** Take over what is told; returns the pages. */
    long takeOver() {
      bitmap.clear();
      source.collect(bitmap);
      host.guest.collect(bitmap);
      for (long page = 0; page < GUEST; page += GuestMemory.PAGE) {
        if (bitmap.isDirty(page)) {
          MemorySegment.copy(host.guest.segment(), page, copy, page, GuestMemory.PAGE);
        }
      }
      assertThat(copy.mismatch(host.guest.segment())).as("first byte that was written and not told, %s", Seeds.repeat(Seeds.SEED)).isEqualTo(-1);
      return bitmap.dirtyPages();
    }

    @Override
    public void close() {
      source.close();
      while (workload.drain()) {
        host.machine.timers().pause();
      }
      assertThat(workload.mistakes()).isZero();
      host.close();
      arena.close();
    }
  }

  @ParameterizedTest
  @CsvSource({"IOMMU, 4096", "DEVICE, 4096", "DEVICE, 20", "DEVICE, 1"})
  void aCopyOfWhatIsToldStaysEqual(WriteTracking by, int logEntries) {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    try (Copied copied = new Copied(ModelConfig.DEFAULT.withLogEntries(logEntries), by)) {
      long most = 0;
      long least = Long.MAX_VALUE;
      for (int i = 0; i < 40; i++) {
        copied.live(i % 8 == 7 ? 0 : random.nextInt(30));
        long pages = copied.takeOver();
        most = Math.max(most, pages);
        least = Math.min(least, pages);
      }
      assertThat(most).isPositive();
      assertThat(least).as("pages told at the quietest time").isLessThan(GUEST / GuestMemory.PAGE);
      assertThat(most == GUEST / GuestMemory.PAGE).as("an overflow was told as everything").isEqualTo(logEntries < 100);
    }
  }

  @Test
  void pagesThatAreTakenOutOfTheMapAfterTheyWereWrittenAreStillTold() {
    try (Copied copied = new Copied(ModelConfig.DEFAULT, WriteTracking.IOMMU)) {
      copied.live(30);
      while (copied.workload.drain()) {
        copied.host.machine.timers().pause();
      }
      for (long page = 0; page < GUEST; page += GuestMemory.PAGE) {
        copied.device().window().unlink(page, GuestMemory.PAGE);
      }
      for (long page = 0; page < GUEST; page += GuestMemory.PAGE) {
        copied.device().window().link(page, copied.host.guest.block().phys(page), GuestMemory.PAGE, DmaDirection.BIDIRECTIONAL);
      }
      assertThat(copied.takeOver()).as("pages told").isPositive();
      copied.live(30);
      assertThat(copied.takeOver()).isPositive();
    }
  }

  /** The range begins behind the queue, which the CPU writes, and within a page, which is noted by an address outside of it. */
  @Test
  void notesThatCouldNotBeFetchedAreFetchedTheNextTime() {
    long from = 3 * GuestMemory.PAGE;
    for (int nth = 1; nth <= 4; nth++) {
      try (Copied copied = new Copied(ModelConfig.DEFAULT, WriteTracking.DEVICE)) {
        DirtySource some = copied.device().newDirtySource(List.of(new Range(from, GUEST - from)), 8192);
        some.start();
        copied.bitmap.clear();
        some.collect(copied.bitmap);
        MemorySegment.copy(copied.host.guest.segment(), 0, copied.copy, 0, GUEST);
        copied.live(30);
        while (copied.workload.drain()) {
          copied.host.machine.timers().pause();
        }
        copied.host.machine.failNth().arm(FailNth.Kind.BUS_WRITE, nth);
        copied.bitmap.clear();
        assertThatExceptionOfType(MigrationException.class).isThrownBy(() -> some.collect(copied.bitmap)).withMessageContaining("the bus refused an access");
        some.collect(copied.bitmap);
        for (long page = from; page < GUEST; page += GuestMemory.PAGE) {
          boolean same = copied.copy.asSlice(page, GuestMemory.PAGE).mismatch(copied.host.guest.segment().asSlice(page, GuestMemory.PAGE)) < 0;
          assertThat(same || copied.bitmap.isDirty(page)).as("page 0x%x was written and not told when note %d could not be fetched, %s", page, nth, Seeds.repeat(Seeds.SEED)).isTrue();
        }
      }
    }
  }

  @Test
  void rangesBeyondWhatTheDeviceTakesAreTrackedAndTheRestIsNot() {
    try (Copied copied = new Copied(ModelConfig.DEFAULT, WriteTracking.DEVICE)) {
      copied.source.close();
      List<Range> ranges = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        ranges.add(new Range(i * 16384L, 8192));
      }
      DirtySource some = copied.device().newDirtySource(ranges, 8192);
      some.start();
      copied.live(100);
      copied.bitmap.clear();
      some.collect(copied.bitmap);
      assertThat(copied.bitmap.dirtyPages()).isPositive();
      assertThat(copied.bitmap.nextDirty(20 * 16384L)).as("pages told beyond the ranges").isEqualTo(DirtyBitmap.NONE);
      some.close();
    }
  }

  @Test
  void sourcesAreStartedOnceAndAskedOnlyWhileTheyTrack() {
    for (WriteTracking by : new WriteTracking[] {WriteTracking.IOMMU, WriteTracking.DEVICE}) {
      try (Copied copied = new Copied(ModelConfig.DEFAULT, by)) {
        assertThatIllegalStateException().isThrownBy(copied.source::start);
        copied.source.stop();
        assertThatIllegalStateException().isThrownBy(() -> copied.source.collect(copied.bitmap)).withMessageContaining("call start() first");
      }
    }
  }

  @Test
  void stacksThatMayHandOutBusAddressesAreTrackedByTheDeviceOrNotAtAll() {
    Map<String, String> tree = Map.of("memory", "64M", "tree", "host-bridge 8086:2020 bus=00-1f;root-port 00:01.0 bus=01-0f");
    for (boolean tracks : new boolean[] {true, false}) {
      try (Host host = new Host(tree, GUEST, List.of("0000:01:00.0"), ModelConfig.DEFAULT.withTracks(tracks), true)) {
        MigratableDevice device = host.devices.getFirst();
        assertThat(device.mapper().limits().dirtyTracking()).isFalse();
        assertThatExceptionOfType(MigrationException.class)
            .isThrownBy(() -> device.newDirtySource(WriteTracking.IOMMU))
            .withMessageContaining("does not see writes by bus address")
            .extracting(MigrationException::kind)
            .isEqualTo(MigrationException.Kind.REFUSED);
        if (tracks) {
          assertThat(device.newDirtySource(WriteTracking.AUTO).by()).isEqualTo("device");
        } else {
          assertThatExceptionOfType(MigrationException.class).isThrownBy(() -> device.newDirtySource(WriteTracking.AUTO)).withMessageContaining("the device notes nothing");
        }
      }
    }
  }
}
