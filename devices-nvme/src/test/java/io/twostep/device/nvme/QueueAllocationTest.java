package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.dma.MemoryBlock;
import io.twostep.tck.Allocation;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class QueueAllocationTest {
  /** Rounds at most until one allocates nothing: the compiler, which removes the last objects, has a thread of its own and may come late. */
  private static final int MOST_ROUNDS = 100;

  @ParameterizedTest(name = "{1} bytes through {0}")
  @CsvSource({"DIRECT, 65536", "IOMMU_LAZY, 4096", "IOMMU_LAZY, 131072"})
  void warmRequestAllocatesNothing(Rig.Stack stack, long bytes) {
    try (Rig rig = Rig.unchecked(NvmeModelConfig.DEFAULT, stack)) {
      try (NvmeController controller = rig.open()) {
        NvmeNamespace namespace = controller.namespace(1);
        NvmeQueue queue = controller.queues().getFirst();
        MemoryBlock memory = rig.memory(bytes);
        BioVector vector = new BioVector().add(memory, 0, bytes);
        NvmeBio bio = new NvmeBio();
        long blocks = bytes / namespace.blockSize();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < MOST_ROUNDS && least != 0; round++) {
          long allocated = 0;
          for (int i = 0; i < 1_000; i++) {
            long before = Allocation.allocatedBytes();
            bio.read(namespace, 16, blocks, vector);
            if (!queue.trySubmit(bio)) {
              throw new AssertionError("full");
            }
            allocated += Allocation.allocatedBytes() - before;
            while (!bio.isDone()) {
              rig.machine.timers().pause();
              before = Allocation.allocatedBytes();
              queue.poll();
              allocated += Allocation.allocatedBytes() - before;
            }
          }
          least = Math.min(least, allocated);
        }
        // What the machine and its model allocate is theirs: only the driver's calls are counted.
        assertThat(least).isZero();
      }
    }
  }
}
