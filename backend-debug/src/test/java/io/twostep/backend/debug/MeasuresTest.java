package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.debug.measure.Call;
import io.twostep.backend.debug.measure.Measures;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.tck.Allocation;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Counts, latencies and events. */
class MeasuresTest {
  private static final long PAGE = Rig.PAGE;
  private static final DebugConfig EVERY_CALL =
      DebugConfig.of(Settings.of(new DebugBackendPlugin(), Map.of("checks", "false", "sample", "1")));

  @TempDir Path folder;

  @Test
  void callsRangesAndBytesAreCounted() {
    try (Rig rig = measured(EVERY_CALL)) {
      work(rig);
      Measures measures = rig.checker.statistics().measures();
      assertThat(measures.maps()).isEqualTo(1);
      assertThat(measures.reservations()).isEqualTo(1);
      assertThat(measures.links()).isEqualTo(2);
      assertThat(measures.bytes()).isEqualTo(3 * PAGE);
      assertThat(measures.teardowns()).isEqualTo(2);
      assertThat(measures.failures()).isEqualTo(1);
      assertThat(measures.latencies())
          .containsOnlyKeys(Call.MAP, Call.RESERVE, Call.LINK, Call.PUBLISH, Call.TEARDOWN, Call.INVALIDATION);
      assertThat(measures.latencies().get(Call.TEARDOWN).count()).isEqualTo(2);
      assertThat(measures.latencies().values()).allSatisfy(latency -> assertThat(latency.max()).isGreaterThanOrEqualTo(latency.median()));
      rig.mapper.close();
      assertThat(rig.checker.statistics().measures().bytes()).as("after close").isEqualTo(3 * PAGE);
    }
  }

  @Test
  void bytesOfRunsOfEveryCountAreCounted() {
    try (Rig rig = measured(EVERY_CALL)) {
      MemoryBlock block = rig.allocate(36 * PAGE);
      DmaTransfer transfer = rig.mapper.newTransfer();
      long bytes = 0;
      for (int count = 1; count <= 9; count++) {
        long[] ranges = new long[2 * count];
        for (int i = 0; i < count; i++) {
          ranges[2 * i] = block.phys(4 * i * PAGE);
          ranges[2 * i + 1] = (1 + i % 3) * PAGE;
          bytes += ranges[2 * i + 1];
        }
        request(transfer, PhysRanges.of(ranges));
        assertThat(rig.checker.statistics().measures().bytes()).as("%d ranges", count).isEqualTo(bytes);
      }
    }
  }

  @Test
  void bytesOfAWindowAreCountedWhenTheDeviceMayUseThem() {
    try (Rig rig = measured(EVERY_CALL)) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      IovaReservation window = rig.mapper.newReservation();
      assertThat(window.tryAlloc(0, 2 * PAGE, TO_DEVICE, NONE)).isTrue();
      window.link(0, block.phys(0), 2 * PAGE);
      assertThat(rig.checker.statistics().measures().bytes()).as("linked").isZero();
      window.sync(0, PAGE);
      assertThat(rig.checker.statistics().measures().bytes()).isEqualTo(PAGE);
      window.sync(PAGE, PAGE);
      assertThat(rig.checker.statistics().measures().bytes()).isEqualTo(2 * PAGE);
      window.destroy();
    }
  }

  @Test
  void bouncedBytesAndSyncsAreCounted() {
    try (Rig rig = new Rig(false, EVERY_CALL, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED, new SwiotlbBackend(SwiotlbConfig.defaults().withForce(true)))) {
      MemoryBlock block = rig.allocate(PAGE);
      try (var mapping = rig.mapper.map(block.phys(0), 100, FROM_DEVICE, NONE)) {
        mapping.syncForCpu(0, 10);
      }
      assertThat(rig.checker.statistics().measures().bouncedBytes()).isEqualTo(100);
      assertThat(rig.checker.statistics().measures().syncs()).isEqualTo(1);
    }
  }

  @Test
  void syncsThatThrowAreFailures() {
    try (Rig rig = new Rig(false, EVERY_CALL, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED, new SwiotlbBackend(SwiotlbConfig.defaults().withForce(true)))) {
      Arena arena = Arena.ofShared();
      DmaMapping mapping = rig.mapper.map(arena.allocate(100), TO_DEVICE, NONE);
      arena.close();
      assertThatThrownBy(() -> mapping.syncForDevice(0, 100)).isInstanceOf(IllegalStateException.class);
      assertThat(rig.checker.statistics().measures().failures()).isEqualTo(1);
      mapping.unmap();
    }
  }

  @Test
  void oneCallInSoManyIsTimed() {
    DebugConfig some = DebugConfig.of(Settings.of(new DebugBackendPlugin(), Map.of("checks", "false", "sample", "8")));
    try (Rig rig = measured(some)) {
      MemoryBlock block = rig.allocate(PAGE);
      for (int i = 0; i < 80; i++) {
        rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE).close();
      }
      assertThat(rig.checker.statistics().measures().maps()).isEqualTo(80);
      assertThat(rig.checker.statistics().measures().latencies().get(Call.MAP).count()).isEqualTo(10);
    }
  }

  @Test
  void flightRecordingsGetTheEventsTheyAskFor() throws Exception {
    Path file = folder.resolve("dma.jfr");
    try (Rig rig = measured(DebugConfig.defaults().with(false, true)); Recording recording = new Recording()) {
      recording.enable("io.twostep.Link");
      recording.enable("io.twostep.Teardown");
      recording.start();
      work(rig);
      recording.stop();
      recording.dump(file);
    }
    List<RecordedEvent> events = RecordingFile.readAllEvents(file);
    Map<String, Long> byName = events.stream().collect(Collectors.groupingBy(event -> event.getEventType().getName(), Collectors.counting()));
    assertThat(byName).containsEntry("io.twostep.Link", 2L).containsEntry("io.twostep.Teardown", 2L).doesNotContainKey("io.twostep.Map");
    assertThat(events.stream().filter(event -> event.getEventType().getName().equals("io.twostep.Link")))
        .allSatisfy(
            event -> {
              assertThat(event.getString("device")).isEqualTo(Rig.ADDRESS);
              assertThat(event.getLong("length")).isEqualTo(PAGE);
              assertThat(event.getInt("ranges")).isEqualTo(1);
            });
  }

  @Test
  void theCountingPartAllocatesNothing() {
    try (Rig rig = measured(EVERY_CALL)) {
      MemoryBlock block = rig.allocate(256 * PAGE);
      DmaTransfer transfer = rig.mapper.newTransfer();
      PhysRanges ranges = new EveryOtherPage(block, 64);
      assertThat(Allocation.leastBytesOf(() -> request(transfer, ranges))).isZero();
    }
  }

  private static void request(DmaTransfer transfer, PhysRanges ranges) {
    transfer.map(ranges, TO_DEVICE, NONE, (address, length, kind) -> true);
    transfer.unmap();
  }

  private static void work(Rig rig) {
    MemoryBlock block = rig.allocate(4 * PAGE);
    rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE).close();
    IovaReservation window = rig.mapper.newReservation();
    window.tryAlloc(block.phys(0), 4 * PAGE, TO_DEVICE, NONE);
    window.link(0, block.phys(0), PAGE);
    window.link(PAGE, block.phys(PAGE), PAGE);
    window.sync(0, 2 * PAGE);
    assertThatThrownBy(() -> window.link(0, block.phys(0), PAGE)).isInstanceOf(DmaMappingException.class);
    window.destroy();
  }

  private static Rig measured(DebugConfig config) {
    return new Rig(true, config, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED);
  }

  /** Every other page of a block. */
  private static final class EveryOtherPage implements PhysRanges {
    private final MemoryBlock block;
    private final int count;
    private int next;

    EveryOtherPage(MemoryBlock block, int count) {
      this.block = block;
      this.count = count;
    }

    @Override
    public void rewind() {
      next = 0;
    }

    @Override
    public int fill(long[] phys, long[] length) {
      int filled = 0;
      for (; filled < phys.length && next < count; filled++, next++) {
        phys[filled] = block.phys(2L * next * PAGE);
        length[filled] = PAGE;
      }
      return filled;
    }
  }
}
