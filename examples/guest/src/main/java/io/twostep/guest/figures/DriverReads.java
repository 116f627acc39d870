package io.twostep.guest.figures;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.device.nvme.NvmeQueue;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.linux.LinuxMachine;
import io.twostep.machine.linux.LinuxMachineConfig;
import io.twostep.machine.linux.LinuxMachineConfig.Addressing;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Random reads by our driver through VFIO.
 *
 * @param registered whether memory is registered once, or mapped for each request
 * @param completion as the driver's setting has it
 * @param depth requests outstanding
 */
record DriverReads(boolean registered, String completion, int depth) {
  private static final int LENGTH = 4096;
  private static final long MEMORY = 16L << 20;

  /** Reads between looks at the clock, which is a device of its own in a guest: a power of two. */
  private static final int READS_PER_LOOK = 16;

  List<String> labels() {
    return List.of("twostep", registered ? "registered" : "mapped per request", completion, String.valueOf(depth));
  }

  /** Read for some seconds and return reads per second. */
  double run(String address, int seconds) {
    LinuxMachineConfig config = LinuxMachineConfig.DEFAULT.withMemory(MEMORY).withAddressing(registered ? Addressing.REGISTERED : Addressing.TRANSLATED);
    Settings settings = Settings.of(new NvmeDriverPlugin(), Map.of("completion", completion, "io-queues", "1"));
    try (LinuxMachine machine = LinuxMachine.open(config);
        TerminalBackend backend = registered ? new DirectBackend() : new IommuBackend(IommuConfig.defaults());
        NvmeController controller =
            NvmeController.open(DriverContext.of(machine, machine.slot(new DeviceAddress(address)), DmaStack.of(backend), settings));
        MemoryBlock memory = machine.memory().allocate((long) depth * LENGTH, MemoryPlacement.CONTIGUOUS)) {
      NvmeBio[] bios = new NvmeBio[depth];
      PhysRanges[] pages = new PhysRanges[depth];
      for (int i = 0; i < depth; i++) {
        bios[i] = new NvmeBio();
        pages[i] = PhysRanges.of(memory.phys((long) i * LENGTH), LENGTH);
      }
      run(controller.namespace(1), bios, pages, 1);
      return run(controller.namespace(1), bios, pages, seconds);
    }
  }

  private double run(NvmeNamespace namespace, NvmeBio[] bios, PhysRanges[] pages, int seconds) {
    SplittableRandom random = new SplittableRandom(4);
    long blocks = LENGTH / namespace.blockSize();
    long places = namespace.blocks() / blocks;
    long start = System.nanoTime();
    long end = start + seconds * 1_000_000_000L;
    long begun = 0;
    long done = 0;
    NvmeQueue queue = null;
    boolean over = false;
    while (!over || done < begun) {
      // The oldest is waited for, and every one that is found on the way has its place taken in its turn.
      int place = (int) (done % depth);
      if (begun - done == depth || over) {
        if (queue != null) {
          queue.await(bios[place]);
        }
        bios[place].check();
        if ((++done & READS_PER_LOOK - 1) == 0) {
          over = System.nanoTime() - end >= 0;
        }
      } else {
        NvmeBio next = bios[(int) (begun % depth)];
        queue = namespace.submit(next.read(namespace, random.nextLong(places) * blocks, blocks, pages[(int) (begun % depth)]));
        begun++;
      }
    }
    return done * 1e9 / (System.nanoTime() - start);
  }
}
