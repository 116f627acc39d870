package io.twostep.benchmarks.machine;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel.Signals;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.dma.spi.Timers;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Map;

/**
 * An NVMe controller with one I/O queue pair that is done with every command as soon as it is told of it, and moves no data: what remains is the host's driver.
 *
 * <p>Admin commands are answered by the modelled controller; queue memory is reached as the device would, through the tables.
 */
public final class InstantNvme implements AutoCloseable {
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long TAIL = DoorbellLayout.submissionTail(1, 0);
  private static final long HEAD = DoorbellLayout.completionHead(1, 0);

  private final BenchMachine machine;
  private final NvmeControllerModel model = new NvmeControllerModel(NvmeModelConfig.DEFAULT.with(c -> c.shadowDoorbells(false)));
  private final TerminalBackend backend;
  private final NvmeController controller;

  private MemorySegment commands = MemorySegment.NULL;
  private MemorySegment completions = MemorySegment.NULL;
  private int depth;
  private int head;
  private int next;
  private long phase = 1;

  /** Bring the driver up, behind a strict IOMMU or without one. */
  public InstantNvme(boolean translated) {
    machine = translated ? BenchMachine.translated(TableFormat.VTD_SECOND_STAGE) : BenchMachine.untranslated();
    backend = translated ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend();
    Bus bus = new Bus();
    model.connect(bus, bus);
    controller = NvmeController.open(new Context());
  }

  /** Return the driver. */
  public NvmeController controller() {
    return controller;
  }

  @Override
  public void close() {
    controller.close();
    backend.close();
    model.close();
    machine.close();
  }

  /** Complete every command up to {@code tail}. */
  private void complete(int tail) {
    while (head != tail) {
      long id = SqeLayout.COMMAND_ID.get(commands, (long) head * SqeLayout.SIZE);
      head = head + 1 == depth ? 0 : head + 1;
      completions.set(LONG, (long) next * CqeLayout.SIZE + 8, head | 1L << 16 | id << 32 | phase << 48);
      next++;
      if (next == depth) {
        next = 0;
        phase ^= 1;
      }
    }
  }

  private MemorySegment reach(long dmaAddress, long length) {
    return machine.memory().segment(machine.resolve(dmaAddress), length);
  }

  /** Registers: the queue pair's doorbells are answered here, the rest by the model. */
  private final class Doorbells implements Mmio {
    @Override
    public long length() {
      return model.bars().getFirst().length();
    }

    @Override
    public int read32(long offset) {
      return (int) model.read(0, offset, 4);
    }

    @Override
    public long read64(long offset) {
      return model.read(0, offset, 8);
    }

    @Override
    public void write32(long offset, int value) {
      if (offset == TAIL) {
        complete(value);
      } else if (offset != HEAD) {
        model.write(0, offset, 4, value);
      }
    }

    @Override
    public void write64(long offset, long value) {
      model.write(0, offset, 8, value);
    }
  }

  /** The model's way to memory; shows where the host creates the queue pair. */
  private final class Bus implements BusMaster, Signals {
    @Override
    public int read(long dmaAddress, MemorySegment target, long offset, long length) {
      MemorySegment.copy(reach(dmaAddress, length), 0, target, offset, length);
      if (length == SqeLayout.SIZE) {
        lookAt(target, offset);
      }
      return OK;
    }

    private void lookAt(MemorySegment command, long base) {
      int opcode = SqeLayout.OPCODE.get(command, base);
      int entries = (SqeLayout.CDW10.get(command, base) >>> 16) + 1;
      if (opcode == AdminOpcode.CREATE_SUBMISSION_QUEUE) {
        depth = entries;
        commands = reach(SqeLayout.PRP1.get(command, base), (long) entries * SqeLayout.SIZE);
      } else if (opcode == AdminOpcode.CREATE_COMPLETION_QUEUE) {
        completions = reach(SqeLayout.PRP1.get(command, base), (long) entries * CqeLayout.SIZE);
      }
    }

    @Override
    public int write(long dmaAddress, MemorySegment source, long offset, long length) {
      MemorySegment.copy(source, offset, reach(dmaAddress, length), 0, length);
      return OK;
    }

    @Override
    public void interrupt(int vector) {}

    @Override
    public void wake() {}

    @Override
    public void wakeAfter(long delayNanos) {}

    @Override
    public long nanoTime() {
      return System.nanoTime();
    }
  }

  private final class Context implements DriverContext, Timers {
    private final DeviceSlot slot = new Slot();

    @Override
    public DeviceSlot slot() {
      return slot;
    }

    @Override
    public Machine machine() {
      return machine;
    }

    @Override
    public Timers timers() {
      return this;
    }

    @Override
    public Settings settings() {
      return Settings.of(new NvmeDriverPlugin(), Map.of("io-queues", "1", "host-memory", "0"));
    }

    @Override
    public DmaMapper attach(DeviceLimits limits) {
      return DmaStack.of(backend).attach(machine, slot, limits);
    }

    @Override
    public long nanoTime() {
      return System.nanoTime();
    }

    @Override
    public Timer schedule(long delayNanos, Runnable task) {
      return () -> true;
    }

    /** Let the model work: only admin commands wait. */
    @Override
    public void pause(int times) {
      model.step(1);
    }
  }

  private enum NoInterrupts implements Interrupts {
    INSTANCE;

    @Override
    public int count() {
      return 0;
    }

    @Override
    public void enable(int vector, Runnable handler) {}

    @Override
    public void disable(int vector) {}
  }

  private final class Slot extends BareSlot {
    private final Mmio registers = new Doorbells();

    Slot() {
      super("instant");
    }

    @Override
    public Mmio mmio(int bar) {
      return registers;
    }

    @Override
    public Interrupts interrupts() {
      return NoInterrupts.INSTANCE;
    }

    @Override
    public void reset() {
      model.reset();
    }
  }
}
