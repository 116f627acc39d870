package io.twostep.machine.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DeviceSlot.Bar;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.machine.linux.LinuxMachineConfig.Addressing;
import io.twostep.machine.linux.fake.FakeDevice;
import io.twostep.machine.linux.fake.FakeHost;
import io.twostep.machine.linux.fake.FakeKernel;
import io.twostep.machine.linux.fake.HandlerThatDisables;
import io.twostep.machine.linux.fake.ThreadThatWaits;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The machine over a kernel that refuses, counts and remembers. */
class LinuxMachineTest {
  private static final DeviceAddress NVME = new DeviceAddress("0000:00:03.0");
  private static final DeviceAddress OTHER = new DeviceAddress("0000:00:04.0");
  private static final int BOTH = MapFlags.DEVICE_READS | MapFlags.DEVICE_WRITES;

  @TempDir Path root;
  private final FakeKernel kernel = new FakeKernel();
  private FakeHost host;
  private FakeDevice device;
  private LinuxMachineConfig config;

  @BeforeEach
  void plug() {
    host =
        new FakeHost(root)
            .function(NVME.text(), 0x010802, "vfio-pci", 3)
            .function(OTHER.text(), 0x010802, "vfio-pci", 3)
            .function("0000:00:05.0", 0x0200, "e1000e", 5)
            .function("0000:00:06.0", 0x0200, "vfio-pci", -1);
    device = kernel.vfio().plug(3, NVME.text());
    kernel.vfio().plug(3, OTHER.text());
    config = LinuxMachineConfig.DEFAULT.withMemory(4 << 20).withPaths(host.paths());
  }

  @AfterEach
  void everythingWasGivenBack() {
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void openedDeviceDecodesItsMemoryAndMastersNothing() {
    try (LinuxMachine machine = open()) {
      DeviceSlot slot = machine.slot(NVME);
      assertThat(slot.config().read(4, 2)).isEqualTo(2);
      assertThat(slot.bar(0)).isEqualTo(new Bar(Bar.Kind.REGISTERS, device.bar(0).address(), 0xfe030000L, FakeDevice.BAR_LENGTH));
      assertThat(slot.bar(2).kind()).isEqualTo(Bar.Kind.MEMORY);
      assertThat(slot.bar(1)).isEqualTo(Bar.NONE);
      assertThat(slot.interrupts().count()).isEqualTo(4);
      slot.mmio(0).write64(8, 0x1122334455667788L);
      slot.mmio(0).write32(20, -2);
      assertThat(device.bar(0).get(ValueLayout.JAVA_LONG, 8)).isEqualTo(0x1122334455667788L);
      assertThat(slot.mmio(0).read32(20)).isEqualTo(-2);
      assertThat(slot.mmio(0).read64(8)).isEqualTo(0x1122334455667788L);
      assertThatThrownBy(() -> slot.mmio(0).read64(12)).isInstanceOf(IndexOutOfBoundsException.class).hasMessageContaining("not aligned");
      assertThatThrownBy(() -> slot.memory(0)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void registersThatCannotBeMappedAreReachedByCallsAndAnswerAllOnesOnceTheDeviceIsGone() {
    device.refuseMapping();
    LinuxMachine machine = open();
    DeviceSlot slot = machine.slot(NVME);
    Mmio registers = slot.mmio(0);
    registers.write64(8, 0x1122334455667788L);
    registers.write32(20, -2);
    assertThat(device.bar(0).get(ValueLayout.JAVA_LONG, 8)).isEqualTo(0x1122334455667788L);
    assertThat(registers.read64(8)).isEqualTo(0x1122334455667788L);
    assertThat(registers.read32(20)).isEqualTo(-2);
    assertThat(registers.read32(8)).isEqualTo(0x55667788);
    assertThatThrownBy(() -> registers.read32(FakeDevice.BAR_LENGTH)).isInstanceOf(IndexOutOfBoundsException.class).hasMessageContaining("0000:00:03.0 BAR 0");
    device.pullOut();
    assertThat(registers.read32(8)).isEqualTo(-1);
    assertThat(registers.read64(8)).isEqualTo(-1L);
    registers.write32(8, 1);
    registers.write64(8, 1);
    assertThat(device.bar(0).get(ValueLayout.JAVA_LONG, 8)).as("writes are lost").isEqualTo(0x1122334455667788L);
    assertReason(() -> slot.mmio(0), Reason.DETACHED, "0000:00:03.0");
    assertReason(machine::close, Reason.QUARANTINED, "0000:00:03.0");
    kernel.forget();
  }

  @Test
  void devicesOfOneGroupShareOneAddressSpace() {
    try (LinuxMachine machine = open()) {
      DeviceSlot one = machine.slot(NVME);
      DeviceSlot two = machine.slot(OTHER);
      assertThat(machine.addressSpaceFor(one)).isSameAs(machine.addressSpaceFor(two));
      assertThat(machine.addressSpaceFor(one).members()).containsExactly(one, two);
      assertThat(machine.addressSpaceFor(one).name()).isEqualTo("IOMMU group 3");
      assertThat(machine.slot(NVME)).isSameAs(one);
    }
  }

  @Test
  void deviceReachesWhatIsMappedWithItsPermissionAndNothingElse() {
    try (LinuxMachine machine = open();
        MemoryBlock block = machine.memory().allocate(8192, MemoryPlacement.SCATTERED)) {
      DeviceSlot slot = machine.slot(NVME);
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
      slot.busMaster(true);
      iommu.map(0x10000, block.phys(0), 8192, MapFlags.DEVICE_READS);
      block.segment().setString(100, "seen");
      assertThat(device.dmaRead(0x10000 + 100, 4)).isEqualTo("seen".getBytes(StandardCharsets.US_ASCII));
      assertThat(device.dmaWrite(0x10000, new byte[1])).isFalse();
      assertThat(device.dmaRead(0x12000, 1)).isNull();
      assertThat(kernel.vfio().pinned()).isEqualTo(8192);
      assertThat(iommu.unmap(0x10000, 8192)).isEqualTo(8192);
      assertThat(device.dmaRead(0x10000, 1)).isNull();
    }
  }

  @Test
  void refusalsOfTheKernelAreReasonsWithTheRange() {
    try (LinuxMachine machine = open()) {
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(machine.slot(NVME)).iommu();
      long phys = machine.memory().highestAddress() + 1 - (4 << 20);
      assertThat(iommu.highestIova()).isEqualTo((1L << 39) - 1);
      assertThat(iommu.windows()).hasSize(2);
      assertThat(iommu.granule()).isEqualTo(4096);
      assertThat(iommu.enforcesWriteOnly()).isFalse();
      iommu.map(0x10000, phys, 4096, BOTH);
      assertReason(() -> iommu.map(0x10000, phys, 4096, BOTH), Reason.ALREADY_LINKED, "0x10000");
      assertReason(() -> iommu.map(0xfee00000L, phys, 4096, BOTH), Reason.OUT_OF_BOUNDS, "outside the windows");
      assertReason(() -> iommu.map(0x20000, phys, 4095, BOTH), Reason.OUT_OF_BOUNDS, "not whole pages");
      kernel.vfio().mostMappings(1);
      assertThat(iommu.mappingSlots()).isZero();
      assertReason(() -> iommu.map(0x20000, phys, 4096, BOTH), Reason.MAPPING_SLOTS, "dma_entry_limit");
      kernel.vfio().mostMappings(9);
      kernel.vfio().mostPinned(8192);
      host.memlock(8192, 4);
      assertReason(() -> iommu.map(0x20000, phys, 8192, BOTH), Reason.PIN_LIMIT, "8192 bytes more are needed, 4096 are pinned, 8192 are allowed; raise the limit to 12 KiB");
      assertThat(iommu.unmap(0x10000 - 4096, 8192)).isEqualTo(4096);
      kernel.vfio().unmapShortBy(1);
      iommu.map(0x10000, phys, 4096, BOTH);
      assertThat(iommu.unmap(0x10000, 4096)).isZero();
    }
  }

  @Test
  void registeredMemoryIsReachableAtOnceRoundTheInterruptWindow() {
    try (LinuxMachine machine = LinuxMachine.open(config.withAddressing(Addressing.REGISTERED), kernel);
        MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      DeviceSlot slot = machine.slot(NVME);
      var space = machine.addressSpaceFor(slot);
      assertThat(space.translation()).isEqualTo(Translation.NONE);
      assertThat(kernel.vfio().pinned()).isEqualTo(4 << 20);
      OffsetWindow window = space.offsetWindows().getFirst();
      assertThat(window.holdsPhys(block.phys(0), 4096)).isTrue();
      slot.busMaster(true);
      assertThat(device.dmaWrite(block.phys(0) - window.firstPhys() + window.firstDmaAddress(), new byte[] {7})).isTrue();
      assertThat(block.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 7);
      assertThatThrownBy(space::iommu).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void registeringMoreThanMayBePinnedIsRefusedBeforeItIsTried() {
    host.memlock(1 << 20, 0);
    try (LinuxMachine machine = LinuxMachine.open(config.withAddressing(Addressing.REGISTERED), kernel)) {
      assertReason(() -> machine.slot(NVME), Reason.PIN_LIMIT, "4194304 bytes more are needed, 0 are pinned, 1048576 are allowed; raise the limit to 4096 KiB");
      assertThat(machine.slots()).isEmpty();
    }
  }

  @Test
  void interruptReachesItsHandlerOnlyWhileEnabled() throws Exception {
    try (LinuxMachine machine = open()) {
      var interrupts = machine.slot(NVME).interrupts();
      CountDownLatch first = new CountDownLatch(1);
      CountDownLatch second = new CountDownLatch(2);
      interrupts.enable(1, first::countDown);
      interrupts.enable(3, second::countDown);
      device.interrupt(1);
      assertThat(first.await(30, TimeUnit.SECONDS)).isTrue();
      interrupts.disable(1);
      device.interrupt(3);
      device.interrupt(1);
      CountDownLatch swept = new CountDownLatch(1);
      machine.timers().schedule(0, swept::countDown);
      assertThat(swept.await(30, TimeUnit.SECONDS)).isTrue();
      interrupts.enable(1, second::countDown);
      device.interrupt(1);
      assertThat(second.await(30, TimeUnit.SECONDS)).isTrue();
      assertThatThrownBy(() -> interrupts.enable(4, () -> {})).isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void lineWhoseHandlerFailsInterruptsAgain() throws Exception {
    device.lineOnly();
    try (LinuxMachine machine = open()) {
      CountDownLatch first = new CountDownLatch(1);
      CountDownLatch second = new CountDownLatch(2);
      machine
          .slot(NVME)
          .interrupts()
          .enable(
              0,
              () -> {
                device.line(false);
                first.countDown();
                second.countDown();
                throw new IllegalStateException("a handler that fails");
              });
      device.line(true);
      assertThat(first.await(30, TimeUnit.SECONDS)).isTrue();
      device.line(true);
      assertThat(second.await(30, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void lineThatFiredWhileNobodyListenedInterruptsOnceItIsEnabledAgain() throws Exception {
    device.lineOnly();
    try (LinuxMachine machine = open()) {
      var interrupts = machine.slot(NVME).interrupts();
      CountDownLatch heard = new CountDownLatch(1);
      interrupts.enable(0, () -> {});
      interrupts.disable(0);
      device.line(true);
      interrupts.enable(
          0,
          () -> {
            device.line(false);
            heard.countDown();
          });
      assertThat(heard.await(30, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void handlerMayDisableAVectorWhileAnotherThreadDisablesItsOwn() throws Exception {
    try (LinuxMachine machine = open()) {
      HandlerThatDisables.check(machine.slot(NVME).interrupts(), () -> device.interrupt(0));
    }
  }

  @Test
  void threadThatWaitsForAVectorIsTheOneThatIsCalled() throws Exception {
    try (LinuxMachine machine = open()) {
      ThreadThatWaits.check(machine.slot(NVME).interrupts(), () -> device.interrupt(0));
    }
  }

  @Test
  void threadThatWaitsForALineLetsItInterruptAgain() {
    device.lineOnly();
    try (LinuxMachine machine = open()) {
      var interrupts = machine.slot(NVME).interrupts();
      AtomicInteger calls = new AtomicInteger();
      interrupts.enable(
          0,
          () -> {
            device.line(false);
            calls.incrementAndGet();
          });
      for (int i = 1; i <= 3; i++) {
        device.line(true);
        while (calls.get() < i) {
          assertThat(interrupts.await(0, 1_000_000)).isTrue();
        }
      }
    }
  }

  @Test
  void vectorsThatTheKernelHasNotAreSaidAndNoneIsTakenForSetUp() throws Exception {
    try (LinuxMachine machine = open()) {
      var interrupts = machine.slot(NVME).interrupts();
      kernel.vfio().vectorsLeft(2);
      assertThatThrownBy(() -> interrupts.enable(0, () -> {})).hasMessage("0000:00:03.0: of 4 interrupt vectors the kernel has 2 to give; set 'vectors' to 2");
      kernel.vfio().vectorsLeft(4);
      CountDownLatch heard = new CountDownLatch(1);
      interrupts.enable(0, heard::countDown);
      device.interrupt(0);
      assertThat(heard.await(30, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void whatIsAskedOfADeviceAfterItsMachineWasClosedReachesNoFile() {
    device.refuseMapping();
    LinuxMachine machine = open();
    DeviceSlot slot = machine.slot(NVME);
    HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
    Mmio registers = slot.mmio(0);
    machine.close();
    assertThat(slot.config().read(0, 4)).isEqualTo(0xffff_ffffL);
    slot.config().write(4, 2, 6);
    registers.write32(0, 1);
    assertThat(registers.read32(0)).isEqualTo(-1);
    assertReason(() -> slot.busMaster(true), Reason.DETACHED, "0000:00:03.0");
    assertReason(() -> slot.mmio(0), Reason.DETACHED, "0000:00:03.0");
    assertReason(slot::reset, Reason.DETACHED, "0000:00:03.0");
    assertThatThrownBy(() -> slot.interrupts().enable(0, () -> {})).isInstanceOf(RuntimeException.class);
    assertThatThrownBy(iommu::mappingSlots).hasMessageContaining("the container is closed");
    assertThatThrownBy(() -> iommu.map(0x10000, 0x10000, 4096, BOTH)).hasMessageContaining("the container is closed");
    assertThat(iommu.unmap(0x10000, 4096)).isEqualTo(4096);
  }

  @Test
  void resetClearsBusMasteringFirstAndKeepsDecoding() {
    try (LinuxMachine machine = open()) {
      DeviceSlot slot = machine.slot(NVME);
      slot.busMaster(true);
      slot.reset();
      assertThat(device.resets()).isEqualTo(1);
      assertThat(slot.config().read(4, 2)).isEqualTo(2);
      assertThat(kernel.diary()).containsSubsequence("0000:00:03.0 bus master off", "0000:00:03.0 reset");
    }
  }

  @Test
  void functionThatCannotBeResetSaysSo() {
    device.refuseReset();
    try (LinuxMachine machine = open()) {
      assertReason(() -> machine.slot(NVME).reset(), Reason.UNSUPPORTED, "0000:00:03.0: the kernel cannot reset");
    }
  }

  @Test
  void closingStopsTheDeviceBeforeMemoryGoes() {
    LinuxMachine machine = open();
    machine.slot(NVME).busMaster(true);
    machine.close();
    assertThat(kernel.diary())
        .containsExactly("0000:00:03.0 bus master on", "0000:00:03.0 bus master off", "0000:00:03.0 closed", "memory unmapped");
    assertThat(machine.isQuarantined()).isFalse();
    assertThatThrownBy(() -> machine.slot(NVME)).hasMessageContaining("closed");
  }

  @Test
  void memoryStaysMappedWhenADeviceCannotBeShownToHaveStopped() {
    LinuxMachine machine = open();
    machine.slot(NVME).busMaster(true);
    machine.slot(OTHER);
    device.ignoreCommands();
    assertReason(machine::close, Reason.QUARANTINED, "[0000:00:03.0]");
    assertThat(machine.isQuarantined()).isTrue();
    assertThat(kernel.diary()).doesNotContain("memory unmapped").contains("0000:00:03.0 closed", "0000:00:04.0 closed");
    assertThat(kernel.leaks()).isEqualTo("mapping of 4194304 bytes; ");
    kernel.forget();
  }

  @Test
  void deviceThatWasPulledOutReadsAllOnesAndIsQuarantinedAtClose() {
    LinuxMachine machine = open();
    DeviceSlot slot = machine.slot(NVME);
    device.pullOut();
    assertThat(slot.deviceId()).isEqualTo(-1);
    slot.config().write(4, 2, 4);
    assertReason(() -> slot.busMaster(true), Reason.DETACHED, "0000:00:03.0");
    assertReason(() -> slot.mmio(0), Reason.DETACHED, "0000:00:03.0");
    assertReason(() -> slot.memory(2), Reason.DETACHED, "0000:00:03.0");
    assertReason(() -> slot.publish(2, 0, 4096), Reason.DETACHED, "0000:00:03.0");
    assertReason(machine::close, Reason.QUARANTINED, "0000:00:03.0");
    kernel.forget();
  }

  @Test
  void publishedPartOfABarIsPeerMemoryUntilWithdrawn() {
    try (LinuxMachine machine = open()) {
      DeviceSlot slot = machine.slot(NVME);
      long bar = slot.bar(2).phys();
      assertThat(machine.memory().regionOf(bar, 4096).kind()).isEqualTo(MemoryKind.MMIO);
      MemoryRegion region = slot.publish(2, 4096, 8192);
      assertThat(machine.memory().regionOf(bar + 4096, 8192)).isSameAs(region);
      assertThat(region.peer().busAddress()).isEqualTo(0xfd030000L + 4096);
      assertThat(machine.memory().regionOf(bar, 8192).kind()).isEqualTo(MemoryKind.MMIO);
      assertThatThrownBy(() -> slot.publish(2, 8192, 4096)).isInstanceOf(IllegalArgumentException.class);
      assertReason(() -> slot.publish(0, 0, 4096), Reason.UNSUPPORTED, "BAR 0");
      slot.withdraw(region);
      assertThat(machine.memory().regionOf(bar + 4096, 8192).kind()).isEqualTo(MemoryKind.MMIO);
    }
  }

  @Test
  void whatCannotBeOpenedSaysWhyAndWhatToDo() {
    try (LinuxMachine machine = open()) {
      assertThatThrownBy(() -> machine.slot(new DeviceAddress("0000:00:09.0")))
          .hasMessageContaining("no PCI function 0000:00:09.0")
          .hasMessageContaining(NVME.text());
      assertThatThrownBy(() -> machine.slot(new DeviceAddress("nonsense"))).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> machine.slot(new DeviceAddress("0000:00:05.0"))).hasMessageContaining("its driver is e1000e").hasMessageContaining("bind");
      assertThatThrownBy(() -> machine.slot(new DeviceAddress("0000:00:06.0"))).hasMessageContaining("no IOMMU translates");
      kernel.vfio().notViable(3);
      host.function("0000:00:07.0", 0x020000, "e1000e", 3).function("0000:00:08.0", 0x060400, "pcieport", 3);
      assertThatThrownBy(() -> machine.slot(NVME))
          .hasMessageContaining("IOMMU group 3 is not viable")
          .hasMessageEndingWith(
              "0000:00:03.0 (vfio-pci), 0000:00:04.0 (vfio-pci), 0000:00:07.0 (e1000e) [./twostep devices --bind 0000:00:07.0], 0000:00:08.0 (pcieport)");
    }
  }

  @Test
  void groupInUseAndMissingInterruptRemappingSayWhatToDo() {
    try (LinuxMachine first = open()) {
      first.slot(NVME);
      try (LinuxMachine second = open()) {
        assertThatThrownBy(() -> second.slot(NVME)).hasMessageContaining("EBUSY").hasMessageContaining("another process has the group open");
        host.process(4711, "qemu-system-x86", "vfio/3");
        host.process(4712, "cat", "vfio/4");
        assertThatThrownBy(() -> second.slot(NVME))
            .isInstanceOf(SystemCallException.class)
            .hasMessageContaining(host.paths().vfio() + "/3: open failed: EBUSY")
            .hasMessageEndingWith("; process 4711 (qemu-system-x86) has the group open; end it");
      }
    }
    kernel.vfio().noInterruptRemapping();
    try (LinuxMachine machine = open()) {
      assertThatThrownBy(() -> machine.slot(NVME)).hasMessageContaining("does not remap interrupts");
    }
  }

  @Test
  void whicheverCallFailsWhileOpeningNothingIsLeftBehind() {
    int failures = kernel.nthCall().sweep(Errno.ENODEV, this::tryOpenAll, this::requireNothingLeft);
    assertThat(failures).isGreaterThan(40);
  }

  /** What fails to be unmapped stays mapped, and that alone. */
  private void requireNothingLeft(String after) {
    if (after.contains(": munmap ")) {
      assertThat(kernel.leaks()).as(after).matches("mapping of \\d+ bytes; ");
      kernel.forget();
    }
    assertThat(kernel.leaks()).as(after).isEmpty();
  }

  /** Open, map, interrupt, close; returns whether all of it worked. Memory that stays mapped on purpose is not counted. */
  private boolean tryOpenAll() {
    LinuxMachine machine;
    try {
      machine = LinuxMachine.open(config.withAddressing(Addressing.REGISTERED), kernel);
    } catch (RuntimeException e) {
      return false;
    }
    boolean worked = false;
    try {
      DeviceSlot slot = machine.slot(NVME);
      slot.mmio(0);
      slot.memory(2);
      slot.interrupts().enable(0, () -> {});
      slot.interrupts().enable(2, () -> {});
      slot.busMaster(true);
      slot.reset();
      worked = true;
    } catch (RuntimeException e) {
      assertThat(e.getMessage()).isNotBlank();
    }
    try {
      machine.close();
    } catch (RuntimeException e) {
      assertThat(kernel.nthCall().picked()).isNotEmpty();
      assertThat(e).hasMessageMatching("(?s).*(0000:00:03.0|/dev/vfio/|linux: |memory of ).*");
      if (machine.isQuarantined()) {
        kernel.forget();
      }
      return false;
    }
    return worked;
  }

  private LinuxMachine open() {
    return LinuxMachine.open(config, kernel);
  }

  private static void assertReason(ThrowingCallable call, Reason reason, String text) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(reason))
        .hasMessageContaining(text);
  }
}
