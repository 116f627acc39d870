package io.twostep.machine.linux.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.Mmio;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is done again and again costs no heap, on none of the threads that have a part in it: the client's, its machine's, the server's. */
@Timeout(600)
class HeapPerMessageTest {
  private static final int CLIENT = 0;
  private static final int SERVER = 1;
  private static final int MACHINE = 2;

  @TempDir Path folder;
  private final AtomicInteger interrupts = new AtomicInteger();

  /** What is done with a machine again and again. */
  private interface Work {
    void once(DeviceSlot slot, HostManagedIommu iommu, MemoryBlock block);
  }

  private long[] leastOf(boolean descriptors, Work work) {
    try (ServedHere _ = new ServedHere(VfioUserServerConfig.of(folder.resolve("s")), new CopyDevice());
        VfioUserMachine machine = VfioUserMachine.open(VfioUserConfig.of(folder.resolve("s")).withMemory(16 << 20).withDescriptors(descriptors))) {
      DeviceSlot slot = machine.slot(VfioUserMachine.DEVICE);
      HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
      slot.interrupts().enable(0, interrupts::incrementAndGet);
      slot.busMaster(true);
      try (MemoryBlock block = machine.memory().allocate(0x4000, MemoryPlacement.CONTIGUOUS)) {
        return HeapBytes.leastOf(() -> work.once(slot, iommu, block), "server", "twostep-machine");
      }
    }
  }

  @Test
  void registersReadAndWrittenByMessage() {
    long[] bytes =
        leastOf(
            true,
            (slot, iommu, block) -> {
              Mmio registers = slot.mmio(0);
              registers.write64(CopyDevice.SOURCE, 0x1234);
              registers.write32(CopyDevice.LENGTH, 64);
              registers.read64(CopyDevice.SOURCE);
              registers.read32(CopyDevice.LENGTH);
              slot.config().read(0, 2);
            });
    assertThat(bytes).containsOnly(0);
  }

  @Test
  void memoryMappedAndUnmapped() {
    long[] bytes =
        leastOf(
            true,
            (slot, iommu, block) -> {
              iommu.map(0x10000, block.phys(0), 0x4000, 3);
              iommu.unmap(0x10000, 0x4000);
            });
    assertThat(bytes[CLIENT]).isZero();
    assertThat(bytes[MACHINE]).isZero();
    assertThat(bytes[SERVER]).as("for the segment and the descriptor of the map").isLessThan(512);
  }

  @Test
  void memoryOfAServerWithDescriptorsCopiedWithAnInterrupt() {
    copy(true);
  }

  @Test
  void memoryOfAServerThatAsksForEveryByteCopiedWithAnInterrupt() {
    copy(false);
  }

  private void copy(boolean descriptors) {
    boolean[] mapped = new boolean[1];
    long[] bytes =
        leastOf(
            descriptors,
            (slot, iommu, block) -> {
              if (!mapped[0]) {
                iommu.map(0x10000, block.phys(0), 0x4000, 3);
                mapped[0] = true;
              }
              Mmio registers = slot.mmio(0);
              int before = interrupts.get();
              registers.write64(CopyDevice.SOURCE, 0x10000);
              registers.write64(CopyDevice.TARGET, 0x12000);
              registers.write64(CopyDevice.LENGTH, 0x1000);
              registers.write32(CopyDevice.DOORBELL, 1);
              while (interrupts.get() == before) {
                Thread.yield();
              }
            });
    assertThat(bytes).containsOnly(0);
  }
}
