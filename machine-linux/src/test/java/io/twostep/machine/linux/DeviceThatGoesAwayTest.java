package io.twostep.machine.linux;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.NvmeException;
import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Timers;
import io.twostep.machine.linux.fake.FakeDevice;
import io.twostep.machine.linux.fake.FakeDevice.Loss;
import io.twostep.machine.linux.fake.FakeHost;
import io.twostep.machine.linux.fake.FakeKernel;
import io.twostep.machine.linux.fake.ModelInSlot;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A driver's whole life over VFIO, in which the device stops answering at every single access to a register: by one bus error, with its BARs, or altogether.
 *
 * <p>What is thrown names the device; whoever waits for it hears; memory goes only after the device was stopped, or not at all; nothing else stays open, mapped or pinned.
 */
@Timeout(600)
class DeviceThatGoesAwayTest {
  private static final DeviceAddress NVME = new DeviceAddress("0000:00:03.0");
  private static final long MEMORY = 2 << 20;

  @TempDir Path root;
  private LinuxMachineConfig config;
  private FakeKernel kernel;
  private FakeDevice device;
  private final List<CompletableFuture<?>> waiting = new ArrayList<>();

  @BeforeEach
  void plug() {
    config = LinuxMachineConfig.DEFAULT.withMemory(MEMORY).withPaths(new FakeHost(root).function(NVME.text(), 0x010802, "vfio-pci", 3).paths());
  }

  @ParameterizedTest
  @EnumSource
  void whereverADeviceIsLostItIsSaidAndMemoryOutlivesTheDevice(Loss loss) {
    int accesses = 0;
    boolean worked;
    do {
      accesses++;
      kernel = new FakeKernel();
      device = kernel.vfio().plug(3, NVME.text());
      worked = lived(accesses, loss);
      requireSafe("%s at access %d".formatted(loss, accesses));
      if (!device.isLost()) {
        assertThat(worked).as("nothing was lost after %d accesses", accesses - 1).isTrue();
      }
    } while (device.isLost());
    assertThat(accesses).isGreaterThan(50);
  }

  private boolean lived(int access, Loss loss) {
    try (NvmeControllerModel model = new NvmeControllerModel(NvmeModelConfig.DEFAULT.with(c -> c.namespaces(List.of(NamespaceConfig.ofMemory(64, 512)))));
        LinuxMachine machine = LinuxMachine.open(config, kernel)) {
      ModelInSlot.plug(device, model);
      device.loseAt(access, loss);
      return copied(machine);
    } catch (NvmeException | DmaMappingException e) {
      assertThat(e).as("%s at access %d", loss, access).hasMessageContaining(NVME.text());
      return false;
    }
  }

  /** Write a block and read it back; returns whether its bytes came back. */
  private boolean copied(LinuxMachine machine) {
    DeviceSlot slot = machine.slot(NVME);
    try (IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
        NvmeController controller = NvmeController.open(new LeapingContext(DriverContext.of(machine, slot, DmaStack.of(iommu), Settings.defaults(new NvmeDriverPlugin()))));
        MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      block.segment().setString(0, "kept");
      controller.namespaces().getFirst().write(8, block);
      block.segment().fill((byte) 0);
      waiting.add(controller.namespaces().getFirst().flushAsync());
      controller.namespaces().getFirst().read(8, block);
      return block.segment().getString(0).equals("kept");
    }
  }

  private void requireSafe(String after) {
    assertThat(waiting).as(after).allMatch(CompletableFuture::isDone);
    waiting.clear();
    List<String> diary = kernel.diary();
    int unmapped = diary.indexOf("memory unmapped");
    if (device.isMaster()) {
      assertThat(unmapped).as(after).isNegative();
    } else if (unmapped >= 0) {
      assertThat(unmapped).as(after).isGreaterThan(diary.lastIndexOf(NVME.text() + " bus master off"));
    }
    if (unmapped < 0) {
      assertThat(kernel.leaks()).as(after).isEqualTo("mapping of " + MEMORY + " bytes; ");
      kernel.forget();
    }
    assertThat(kernel.leaks()).as(after).isEmpty();
  }

  /** The machine's clock, in which a wait takes no time: a model that works at each access has answered by then, or never will. */
  private record LeapingContext(DriverContext inner, LeapingClock clock) implements DriverContext {
    LeapingContext(DriverContext inner) {
      this(inner, new LeapingClock(inner.timers()));
    }

    @Override
    public DeviceSlot slot() {
      return inner.slot();
    }

    @Override
    public Machine machine() {
      return inner.machine();
    }

    @Override
    public Timers timers() {
      return clock;
    }

    @Override
    public Settings settings() {
      return inner.settings();
    }

    @Override
    public DmaMapper attach(DeviceLimits limits) {
      return inner.attach(limits);
    }
  }

  private static final class LeapingClock implements Timers {
    private static final long LEAP_NANOS = 100_000_000;

    private final Timers real;
    private long leaps;

    LeapingClock(Timers real) {
      this.real = real;
    }

    @Override
    public long nanoTime() {
      return real.nanoTime() + leaps * LEAP_NANOS;
    }

    @Override
    public Timer schedule(long delayNanos, Runnable task) {
      return real.schedule(delayNanos, task);
    }

    @Override
    public void pause(int times) {
      leaps++;
    }
  }
}
