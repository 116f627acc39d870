package io.twostep.machine.linux.vfiouser.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.Mmio;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.fake.WatchedKernel;
import io.twostep.machine.linux.fake.WatchedKernel.Wrong;
import io.twostep.machine.linux.vfiouser.CopyDevice;
import io.twostep.machine.linux.vfiouser.OpenFiles;
import io.twostep.machine.linux.vfiouser.ServedHere;
import io.twostep.machine.linux.vfiouser.VfioUserConfig;
import io.twostep.machine.linux.vfiouser.VfioUserMachine;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A server's whole life, in which every step goes wrong once: it costs the client of the day its session at most, the next one is served, and nothing stays open or mapped. */
@Timeout(600)
class ServerFailureAtEveryStepTest {
  private static final int LENGTH = 0x2000;

  @TempDir Path folder;
  private final AtomicInteger interrupts = new AtomicInteger();

  @ParameterizedTest
  @CsvSource({"CALL_FAILS, true", "OTHER_END_DIES, false", "BIT_FLIPS, false"})
  void whateverGoesWrongTheNextClientIsServed(Wrong wrong, boolean descriptors) {
    Map<String, Integer> before = OpenFiles.count();
    WatchedKernel kernel = new WatchedKernel(wrong);
    int steps =
        kernel
            .nthCall()
            .sweep(Errno.EMFILE, () -> served(kernel, descriptors), after -> kernel.requireNothingLeft("seed %d, %s".formatted(kernel.seed(), after)));
    assertThat(steps).isGreaterThan(wrong == Wrong.CALL_FAILS ? 60 : 20);
    assertThat(OpenFiles.count()).isEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void memoryThatTheKernelDidNotUnmapIsUnmappedWhenTheClientAsksAgainOrLeaves(boolean again) {
    WatchedKernel kernel = new WatchedKernel(Wrong.CALL_FAILS);
    VfioUserServerConfig config = VfioUserServerConfig.of(folder.resolve("s"));
    try (ServedHere _ = new ServedHere(VfioUserServer.listen(config, new CopyDevice(), kernel, System::nanoTime));
        VfioUserMachine machine = VfioUserMachine.open(VfioUserConfig.of(config.socket()).withMemory(1 << 20));
        MemoryBlock block = machine.memory().allocate(LENGTH, MemoryPlacement.CONTIGUOUS)) {
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(machine.slots().getFirst()).iommu();
      iommu.map(0x10000, block.phys(0), LENGTH, MapFlags.DEVICE_READS);
      kernel.nthCall().pickFirst("munmap " + kernel.latestMapping(), Errno.ENOMEM);
      assertThat(iommu.unmap(0x10000, LENGTH)).as("confirmed").isZero();
      assertThat(kernel.nthCall().picked()).startsWith("munmap ");
      if (again) {
        assertThat(iommu.unmap(0x10000, LENGTH)).isEqualTo(LENGTH);
      }
    }
    kernel.requireNothingLeft("an unmap that was tried again");
  }

  private boolean served(WatchedKernel kernel, boolean descriptors) {
    VfioUserServerConfig config = VfioUserServerConfig.of(folder.resolve("s")).withShared(new SharedWindow(0, CopyDevice.DOORBELL, 0x1000));
    VfioUserServer server;
    try {
      server = VfioUserServer.listen(config, new CopyDevice(), kernel, () -> System.nanoTime() + (kernel.nthCall().picked().isEmpty() ? 0 : 60_000_000_000L));
    } catch (SystemCallException e) {
      assertThat(e).hasMessageContaining(config.socket().toString());
      return false;
    }
    try (ServedHere _ = new ServedHere(server)) {
      boolean worked = copied(kernel, config.socket(), descriptors);
      if (!kernel.nthCall().picked().isEmpty()) {
        assertThat(copied(kernel, config.socket(), descriptors)).as("the next client after %s", kernel.nthCall().picked()).isTrue();
      }
      return worked;
    } catch (SystemCallException e) {
      assertThat(kernel.nthCall().picked()).as("the server's own close fails if giving back does").matches("(close|munmap) .*");
      return false;
    }
  }

  /** Have the device copy memory; returns whether the bytes arrived, and an interrupt. */
  private boolean copied(WatchedKernel kernel, Path socket, boolean descriptors) {
    boolean wasWrong = !kernel.nthCall().picked().isEmpty();
    try (VfioUserMachine machine = VfioUserMachine.open(VfioUserConfig.of(socket).withMemory(1 << 20).withDescriptors(descriptors))) {
      DeviceSlot slot = machine.slots().getFirst();
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
      slot.interrupts().enable(0, interrupts::incrementAndGet);
      slot.busMaster(true);
      try (MemoryBlock block = machine.memory().allocate(2 * LENGTH, MemoryPlacement.CONTIGUOUS)) {
        block.segment().asSlice(0, LENGTH).fill((byte) 0x5a);
        iommu.map(0x10000, block.phys(0), 2 * LENGTH, MapFlags.DEVICE_READS | MapFlags.DEVICE_WRITES);
        int signalled = interrupts.get();
        Mmio registers = slot.mmio(0);
        registers.write64(CopyDevice.SOURCE, 0x10000);
        registers.write64(CopyDevice.TARGET, 0x10000 + LENGTH);
        registers.write64(CopyDevice.LENGTH, LENGTH);
        registers.write32(CopyDevice.DOORBELL, 1);
        while (machine.lost() == null && interrupts.get() == signalled && (wasWrong || kernel.nthCall().picked().isEmpty())) {
          Thread.yield();
        }
        boolean done = registers.read32(CopyDevice.STATUS) == BusMaster.OK && interrupts.get() != signalled;
        iommu.unmap(0x10000, 2 * LENGTH);
        return done && block.segment().asSlice(LENGTH, LENGTH).mismatch(block.segment().asSlice(0, LENGTH)) == -1;
      }
    } catch (DmaMappingException | SystemCallException e) {
      assertThat(e).hasMessageContaining(socket.toString());
      return false;
    }
  }
}
