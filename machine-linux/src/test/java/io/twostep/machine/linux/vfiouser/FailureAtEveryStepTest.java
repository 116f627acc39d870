package io.twostep.machine.linux.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.fake.WatchedKernel;
import io.twostep.machine.linux.fake.WatchedKernel.Wrong;
import io.twostep.machine.linux.vfiouser.server.SharedWindow;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A client's whole life, from connecting to closing, in which every step goes wrong once: each system call fails, the server dies at each message, each answer belongs to another
 * question, each question is refused, a bit of what comes in is another.
 *
 * <p>What is thrown is typed and names the socket; nothing stays open or mapped, no thread stays; and the next client, like another in the same process, notices nothing.
 */
@Timeout(600)
class FailureAtEveryStepTest {
  private static final int LENGTH = 0x2000;

  @TempDir Path folder;
  private final AtomicInteger interrupts = new AtomicInteger();

  @ParameterizedTest
  @CsvSource({
    "CALL_FAILS, true, true", "OTHER_END_DIES, true, true", "ID_IS_ANOTHER, true, true", "ANSWER_IS_AN_ERROR, true, true", "BIT_FLIPS, true, true",
    "CALL_FAILS, false, true", "BIT_FLIPS, false, true", "CALL_FAILS, true, false"
  })
  void whateverGoesWrongIsToldAndLeavesNothingBehind(Wrong wrong, boolean descriptors, boolean translated) throws Exception {
    Map<String, Integer> before = OpenFiles.count();
    VfioUserServerConfig served = VfioUserServerConfig.of(folder.resolve("s")).withShared(new SharedWindow(0, CopyDevice.DOORBELL, 0x1000));
    VfioUserConfig config = VfioUserConfig.of(folder.resolve("s")).withMemory(1 << 20).withDescriptors(descriptors).withTranslated(translated);
    WatchedKernel kernel = new WatchedKernel(wrong);
    try (ServedHere _ = new ServedHere(served, new CopyDevice());
        ServedHere _ = new ServedHere(VfioUserServerConfig.of(folder.resolve("other")), new CopyDevice());
        VfioUserMachine other = VfioUserMachine.open(VfioUserConfig.of(folder.resolve("other")).withMemory(1 << 20))) {
      int steps = kernel.nthCall().sweep(Errno.ENOMEM, () -> lived(kernel, config), after -> nothingIsLeft(kernel, "seed %d, %s".formatted(kernel.seed(), after)));
      assertThat(steps).isGreaterThan(wrong == Wrong.CALL_FAILS ? 80 : 20);
      assertThat(copied(other, 0x10000)).isTrue();
    }
    assertThat(OpenFiles.count()).isEqualTo(before);
  }

  private static void nothingIsLeft(WatchedKernel kernel, String after) {
    kernel.requireNothingLeft(after);
    assertThat(Thread.getAllStackTraces().keySet()).as(after).filteredOn(thread -> thread.getName().equals("twostep-machine")).hasSizeLessThanOrEqualTo(1);
  }

  private boolean lived(WatchedKernel kernel, VfioUserConfig config) {
    // Once something is wrong the time is up for whoever waits: for the rest of a message, say, that a wrong length promises.
    LongSupplier clock = () -> System.nanoTime() + (kernel.nthCall().picked().isEmpty() ? 0 : 60_000_000_000L);
    try (VfioUserMachine machine = VfioUserMachine.open(config, kernel, clock)) {
      if (!isCopyDevice(machine.slots().getFirst())) {
        return false;
      }
      machine.slots().getFirst().interrupts().enable(1, interrupts::incrementAndGet);
      machine.slots().getFirst().reset();
      boolean worked = copied(machine, 0x10000);
      String lost = machine.lost();
      if (lost != null) {
        assertThat(lost).contains(config.socket().toString());
      }
      return worked && lost == null;
    } catch (DmaMappingException | SystemCallException e) {
      assertThat(e).as(kernel.nthCall().picked()).hasMessageContaining(config.socket().toString());
      return false;
    }
  }

  /** A bit of what the server says of the device may be another: that is another device then, and no fault of the server's. */
  private static boolean isCopyDevice(DeviceSlot slot) {
    return slot.interrupts().count() > 1 && slot.bar(0).kind() == DeviceSlot.Bar.Kind.REGISTERS && slot.bar(0).length() == CopyDevice.BAR_LENGTH;
  }

  /** Have the device copy memory, and take down what was mapped for it; returns whether the bytes arrived, and an interrupt. */
  private boolean copied(VfioUserMachine machine, long iova) {
    DeviceSlot slot = machine.slots().getFirst();
    AddressSpace space = machine.addressSpaceFor(slot);
    slot.interrupts().enable(0, interrupts::incrementAndGet);
    slot.busMaster(true);
    try (MemoryBlock source = machine.memory().allocate(LENGTH, MemoryPlacement.CONTIGUOUS);
        MemoryBlock target = machine.memory().allocate(LENGTH, MemoryPlacement.CONTIGUOUS)) {
      source.segment().fill((byte) 0x5a);
      if (space.translation() == Translation.NONE) {
        OffsetWindow window = space.offsetWindows().getFirst();
        return copied(machine, slot.mmio(0), source.phys(0) - window.firstPhys() + window.firstDmaAddress(), target.phys(0) - window.firstPhys() + window.firstDmaAddress())
            && target.segment().mismatch(source.segment()) == -1;
      }
      HostManagedIommu iommu = (HostManagedIommu) space.iommu();
      iommu.map(iova, source.phys(0), LENGTH, MapFlags.DEVICE_READS);
      try {
        iommu.map(iova + LENGTH, target.phys(0), LENGTH, MapFlags.DEVICE_WRITES);
        boolean done = copied(machine, slot.mmio(0), iova, iova + LENGTH);
        return iommu.unmap(iova + LENGTH, LENGTH) == LENGTH && done && target.segment().mismatch(source.segment()) == -1;
      } finally {
        iommu.unmap(iova, LENGTH);
      }
    }
  }

  private boolean copied(VfioUserMachine machine, Mmio registers, long source, long target) {
    int signalled = interrupts.get();
    registers.write64(CopyDevice.SOURCE, source);
    registers.write64(CopyDevice.TARGET, target);
    registers.write64(CopyDevice.LENGTH, LENGTH);
    registers.write32(CopyDevice.DOORBELL, 1);
    // What the device says of itself may be what comes in wrong: only the interrupt says that it is done.
    while (machine.lost() == null && interrupts.get() == signalled) {
      Thread.yield();
    }
    return registers.read32(CopyDevice.STATUS) == BusMaster.OK;
  }
}
