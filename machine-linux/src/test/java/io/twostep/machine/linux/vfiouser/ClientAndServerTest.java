package io.twostep.machine.linux.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DeviceSlot.Bar;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.Mmio;
import io.twostep.machine.linux.fake.HandlerThatDisables;
import io.twostep.machine.linux.fake.ThreadThatWaits;
import io.twostep.machine.linux.vfiouser.server.SharedWindow;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Our client against our server, in one process. */
@Timeout(600)
class ClientAndServerTest {
  @TempDir Path folder;
  private Map<String, Integer> before;
  private final CopyDevice device = new CopyDevice();

  @BeforeEach
  void countWhatIsOpen() {
    before = OpenFiles.count();
  }

  @AfterEach
  void everythingWasGivenBack() {
    assertThat(OpenFiles.count()).isEqualTo(before);
    assertThat(device.isClosed()).isTrue();
  }

  private VfioUserServerConfig server(boolean shared) {
    VfioUserServerConfig config = VfioUserServerConfig.of(folder.resolve("s"));
    return shared ? config.withShared(new SharedWindow(0, CopyDevice.DOORBELL, 0x1000)) : config;
  }

  private VfioUserConfig client() {
    return VfioUserConfig.of(folder.resolve("s")).withMemory(16 << 20);
  }

  @ParameterizedTest
  @CsvSource({"true, true", "true, false", "false, true", "false, false"})
  void deviceCopiesBytesOfTheClientByDescriptorAndByMessage(boolean descriptors, boolean shared) throws Exception {
    try (ServedHere _ = new ServedHere(server(shared), device);
        VfioUserMachine machine = VfioUserMachine.open(client().withDescriptors(descriptors))) {
      DeviceSlot slot = machine.slot(VfioUserMachine.DEVICE);
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
      Semaphore interrupts = new Semaphore(0);
      slot.interrupts().enable(0, interrupts::release);
      slot.busMaster(true);
      long length = 300_000;
      try (MemoryBlock source = machine.memory().allocate(length, MemoryPlacement.SCATTERED);
          MemoryBlock target = machine.memory().allocate(length, MemoryPlacement.CONTIGUOUS)) {
        for (long i = 0; i < length; i++) {
          source.segment().set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31 + (i >> 8)));
        }
        long mapped = (length + 4095) & -4096;
        iommu.map(0x100000, source.phys(0), mapped, 1);
        iommu.map(0x200000, target.phys(0), mapped, 2);
        copy(slot.mmio(0), 0x100000, 0x200000, length);
        assertThat(interrupts.tryAcquire(20, TimeUnit.SECONDS)).isTrue();
        assertThat(slot.mmio(0).read32(CopyDevice.STATUS)).isEqualTo(BusMaster.OK);
        assertThat(target.segment().mismatch(source.segment())).isEqualTo(-1);
        assertThat(iommu.unmap(0x100000, mapped)).isEqualTo(mapped);
        assertThat(iommu.unmap(0x200000, mapped)).isEqualTo(mapped);
      }
    }
  }

  private static void copy(Mmio registers, long source, long target, long length) {
    registers.write64(CopyDevice.SOURCE, source);
    registers.write64(CopyDevice.TARGET, target);
    registers.write64(CopyDevice.LENGTH, length);
    registers.write32(CopyDevice.DOORBELL, 1);
  }

  @Test
  void handlerMayDisableAVectorWhileAnotherThreadDisablesItsOwn() throws Exception {
    try (ServedHere _ = new ServedHere(server(false), device);
        VfioUserMachine machine = VfioUserMachine.open(client())) {
      DeviceSlot slot = machine.slot(VfioUserMachine.DEVICE);
      slot.busMaster(true);
      // A copy of nothing signals vector 0.
      HandlerThatDisables.check(slot.interrupts(), () -> copy(slot.mmio(0), 0, 0, 0));
    }
  }

  @Test
  void threadThatWaitsForAVectorIsTheOneThatIsCalled() throws Exception {
    try (ServedHere _ = new ServedHere(server(false), device);
        VfioUserMachine machine = VfioUserMachine.open(client())) {
      DeviceSlot slot = machine.slot(VfioUserMachine.DEVICE);
      slot.busMaster(true);
      ThreadThatWaits.check(slot.interrupts(), () -> copy(slot.mmio(0), 0, 0, 0));
    }
  }

  @Test
  void modelThatFailsAtAStoredRegisterCostsNobodyHisSession() throws Exception {
    try (ServedHere _ = new ServedHere(server(false).withShared(new SharedWindow(0, 0, 0x1000)), device);
        VfioUserMachine machine = VfioUserMachine.open(client())) {
      DeviceSlot slot = machine.slot(VfioUserMachine.DEVICE);
      slot.mmio(0).write32(CopyDevice.FAIL, 1);
      assertThat(slot.deviceId()).as("what was stored before a message is seen before it").isEqualTo(0x0777_1b36);
      assertThat(machine.lost()).isNull();
    }
  }

  @Test
  void slotShowsWhatTheModelIs() throws Exception {
    try (ServedHere _ = new ServedHere(server(false), device);
        VfioUserMachine machine = VfioUserMachine.open(client())) {
      DeviceSlot slot = machine.slots().getFirst();
      assertThat(slot.deviceId()).isEqualTo(0x0777_1b36);
      assertThat(slot.classCode()).isEqualTo(0x088000);
      assertThat(slot.bar(0)).isEqualTo(new Bar(Bar.Kind.REGISTERS, 0, 0, CopyDevice.BAR_LENGTH));
      assertThat(slot.bar(1)).isEqualTo(Bar.NONE);
      assertThat(slot.interrupts().count()).isEqualTo(4);
    }
  }
}
