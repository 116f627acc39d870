package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Whose memory it is: writes of the CPU at the wrong time, bytes that nobody wrote, lines that are shared. */
class DataCrimesTest {
  private static final long PAGE = Rig.PAGE;

  @Test
  void writesOfTheCpuWhileTheDeviceOwnsTheMemoryAreNoticed() {
    try (Rig rig = Rig.translated()) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      put(block, 17, 1);
      mapping.unmap();
      assertThat(rig.only(Rule.CPU_WROTE_TOO_LATE, true).first()).isEqualTo(block.phys(0));
    }
  }

  @Test
  void writesOfTheCpuToALinkWhileTheDeviceOwnsItAreNoticed() {
    try (Rig rig = Rig.translated()) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      IovaReservation window = rig.mapper.newReservation();
      window.tryAlloc(block.phys(0), 2 * PAGE, TO_DEVICE, NONE);
      window.link(0, block.ranges());
      put(block, 3, 1);
      window.sync(0, 2 * PAGE);
      put(block, PAGE + 3, 2);
      window.unlink(PAGE, PAGE);
      rig.only(Rule.CPU_WROTE_TOO_LATE, true);
      window.destroy();
      rig.only(Rule.CPU_WROTE_TOO_LATE, true);
    }
  }

  @Test
  void writesThatAreHandedOverAreFine() {
    try (Rig rig = Rig.translated()) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      put(block, 17, 1);
      mapping.syncForDevice(0, PAGE);
      mapping.syncForCpu(0, PAGE);
      put(block, 18, 1);
      mapping.syncForDevice(18, 1);
      mapping.unmap();
      assertThat(rig.reports()).isEmpty();
    }
  }

  @Test
  void writesToOnePartAreNoticedThoughAnotherIsHandedOver() {
    try (Rig rig = Rig.translated()) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), 2 * PAGE, TO_DEVICE, NONE);
      put(block, 17, 1);
      mapping.syncForCpu(PAGE, PAGE);
      put(block, PAGE + 5, 1);
      mapping.syncForDevice(PAGE, PAGE);
      mapping.unmap();
      Report report = rig.only(Rule.CPU_WROTE_TOO_LATE, true);
      assertThat(report.first()).isEqualTo(block.phys(0));
      assertThat(report.length()).isEqualTo(64);
    }
  }

  @Test
  void whatTheCpuKeepsIsItsOwnThoughItHandsTheRestBack() {
    try (Rig rig = Rig.translated()) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      mapping.syncForCpu(0, PAGE);
      mapping.syncForDevice(0, 100);
      put(block, 101, 1);
      mapping.syncForDevice(200, PAGE - 200);
      put(block, 199, 1);
      mapping.unmap();
      assertThat(rig.reports()).isEmpty();
    }
  }

  @Test
  void writesBeforeAnUnlinkOfOtherPagesAreNoticed() {
    try (Rig rig = Rig.translated()) {
      MemoryBlock block = rig.allocate(4 * PAGE);
      IovaReservation window = rig.mapper.newReservation();
      window.tryAlloc(block.phys(0), 4 * PAGE, TO_DEVICE, NONE);
      window.link(0, block.ranges());
      window.sync(0, 4 * PAGE);
      put(block, 3 * PAGE + 70, 1);
      window.unlink(PAGE, PAGE);
      assertThat(rig.reports()).as("of what was unlinked, nothing changed").isEmpty();
      window.destroy();
      assertThat(rig.only(Rule.CPU_WROTE_TOO_LATE, true).first()).isEqualTo(block.phys(3 * PAGE + 64));
    }
  }

  @Test
  void aSyncInTheWrongDirectionIsNoticed() {
    try (Rig rig = Rig.translated()) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      put(block, 17, 1);
      mapping.syncForCpu(0, PAGE);
      mapping.unmap();
      rig.only(Rule.SYNC_DIRECTION, true);
    }
  }

  @Test
  void writesToBouncedMemoryThatAreNotHandedOverAreLost() {
    SwiotlbBackend bounce = new SwiotlbBackend(SwiotlbConfig.defaults().withForce(true));
    try (Rig rig = Rig.direct(bounce)) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, FROM_DEVICE, NONE);
      put(block, 17, 1);
      mapping.unmap();
      assertThat(rig.only(Rule.BOUNCE_WITHOUT_SYNC, true).detail()).contains("lost");
    }
  }

  @Test
  void writesToBouncedMemoryThatIsTakenOverAreLost() {
    SwiotlbBackend bounce = new SwiotlbBackend(SwiotlbConfig.defaults().withForce(true));
    try (Rig rig = Rig.direct(bounce)) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, FROM_DEVICE, NONE);
      put(block, 17, 1);
      mapping.syncForCpu(0, 64);
      mapping.unmap();
      assertThat(rig.only(Rule.BOUNCE_WITHOUT_SYNC, true).detail()).contains("lost");
    }
  }

  @Test
  void bytesThatNobodyWroteAreNotSent() {
    try (Rig rig = Rig.translated()) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      rig.checker.watchWrites(block);
      block.segment().asSlice(0, PAGE).fill((byte) 0);
      rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE).close();
      assertThat(rig.reports()).isEmpty();
      rig.mapper.map(block.phys(0), PAGE + 64, TO_DEVICE, NONE).close();
      assertThat(rig.only(Rule.SENT_UNWRITTEN, false).detail()).contains("4096 bytes in");
    }
  }

  @Test
  void bytesThatADeviceWroteMayBeSent() {
    try (Rig rig = Rig.translated()) {
      MemoryBlock block = rig.allocate(PAGE);
      rig.checker.watchWrites(block);
      rig.mapper.map(block.phys(0), PAGE, FROM_DEVICE, NONE).close();
      rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE).close();
      assertThat(rig.reports()).isEmpty();
      rig.checker.unwatchWrites(block);
    }
  }

  @Test
  void cacheLinesSharedWithADeviceThatDoesNotSnoopAreNoticed() {
    try (Rig rig = new Rig(true, Rig.QUIET, SlotOptions.DEFAULT.withCoherent(false), DeviceLimits.UNLIMITED, new SwiotlbBackend(SwiotlbConfig.defaults()))) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping first = rig.mapper.map(block.phys(0), 96, FROM_DEVICE, NONE);
      DmaMapping second = rig.mapper.map(block.phys(96), 96, FROM_DEVICE, NONE);
      rig.only(Rule.CACHE_LINE_SHARED, true);
      second.close();
      first.close();
    }
  }

  @Test
  void writesOfTheCpuAreNoticedThoughAnotherMappingOfTheMemoryWasRefused() {
    try (Rig rig = new Rig(true, DebugConfig.defaults().withOnError(OnError.THROW), SlotOptions.DEFAULT, DeviceLimits.UNLIMITED)) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      assertThatThrownBy(() -> rig.mapper.map(block.phys(0), PAGE, FROM_DEVICE, NONE)).isInstanceOf(CheckerException.class);
      put(block, 17, 1);
      mapping.unmap();
      rig.one(Rule.CPU_WROTE_TOO_LATE, true);
    }
  }

  @Test
  void whatATeardownThatFailedFoundIsNotFoundAgainByTheNext() {
    TeardownHook host = new TeardownHook();
    try (Rig rig = Rig.translated(host)) {
      MemoryBlock block = rig.allocate(2 * PAGE);
      DmaMapping late = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      put(block, 17, 1);
      refuseOnce(host, late);
      rig.only(Rule.CPU_WROTE_TOO_LATE, true);
      assertThat(rig.mapper.releaseQuarantined()).isZero();
      rig.only(Rule.CPU_WROTE_TOO_LATE, true);

      DmaMapping honest = rig.mapper.map(block.phys(PAGE), PAGE, TO_DEVICE, NONE);
      refuseOnce(host, honest);
      // The driver has let go of it, as far as it could.
      put(block, PAGE + 17, 1);
      assertThat(rig.mapper.releaseQuarantined()).isZero();
      rig.only(Rule.CPU_WROTE_TOO_LATE, true);
    }
  }

  /** Unmaps on a host that does not confirm it. */
  private static void refuseOnce(TeardownHook host, DmaMapping mapping) {
    host.next =
        () -> {
          throw new DmaMappingException(Reason.QUARANTINED, "not confirmed");
        };
    assertThatThrownBy(mapping::unmap).isInstanceOf(DmaMappingException.class);
  }

  @Test
  void contentsAreLeftAloneWhenToldSo() {
    DebugConfig config = DebugConfig.of(Settings.of(new DebugBackendPlugin(), Map.of("contents", "false", "on-error", "count")));
    try (Rig rig = new Rig(true, config, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED)) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      put(block, 17, 1);
      mapping.unmap();
      assertThat(rig.reports()).isEmpty();
    }
  }

  private static void put(MemoryBlock block, long at, int value) {
    block.segment().set(ValueLayout.JAVA_BYTE, at, (byte) value);
  }

  /** A checker may follow the devices of several machines: where memory lies in one says nothing of the other. */
  @Test
  void theSameAddressOfAnotherMachineIsOtherMemory() {
    try (Rig here = Rig.translated();
        Rig there = Rig.translated();
        DmaMapper stranger = DmaStack.of(there.terminal, here.checker).attach(there.machine, there.slot, DeviceLimits.UNLIMITED)) {
      long phys = here.allocate(Rig.PAGE).phys(0);
      assertThat(there.allocate(Rig.PAGE).phys(0)).as("the machines are alike").isEqualTo(phys);
      DmaMapping mapping = here.mapper.map(phys, Rig.PAGE, FROM_DEVICE, NONE);
      stranger.map(phys, Rig.PAGE, FROM_DEVICE, NONE).unmap();
      assertThat(here.reports()).isEmpty();
      here.mapper.map(phys, Rig.PAGE, FROM_DEVICE, NONE).unmap();
      here.only(Rule.OVERLAPPING_WRITE, true);
      mapping.unmap();
    }
  }
}
