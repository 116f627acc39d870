package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.AsyncEventLayout;
import io.twostep.device.nvme.wire.CcLayout;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * An NVMe controller in software: BAR 0 with registers and doorbells, another BAR with the controller memory buffer if there is one, and
 * namespaces over files or memory.
 *
 * <p>Called by its machine under one lock; {@link #faults} and {@link #violations} are for tests and may be used from any thread.
 */
public final class NvmeControllerModel implements DeviceModel {
  /** PCI vendor that models report. */
  static final int VENDOR = 0x7473;

  private static final int DEVICE = 0x6e76;
  private static final int NVME_CLASS = 0x010802;
  private static final int REGISTER_BAR = 0;
  private static final int BARS = 6;
  private static final long GONE = -1L;

  private final NvmeModelConfig config;
  private final Arena arena = Arena.ofShared();
  private final FaultPlan faults = new FaultPlan();
  private final Alarm alarm = new Alarm();
  private final Violations violations = new Violations();
  private final Namespace[] namespaces;
  private final HostMemory memory;
  private final MemorySegment bufferBar;
  private final ControllerState state;
  private final Completer completer;
  private final ShadowDoorbells shadows;
  private final AsyncEvents events;
  private final QueueSet queues;
  private final DataPointers pointers;
  private final HostBuffer hostBuffer;
  private final Features features;
  private final CommandLoop loop;
  private final Registers registers;
  private Signals signals = Unplugged.INSTANCE;

  /**
   * Create a controller and open its namespaces.
   *
   * @throws java.io.UncheckedIOException if a namespace's file cannot be used
   */
  public NvmeControllerModel(NvmeModelConfig config) {
    this.config = config;
    namespaces = open(config);
    long barLength = config.cmbSize() == 0 ? 0 : Long.highestOneBit(config.cmbOffset() + config.cmbSize() - 1) << 1;
    bufferBar = barLength == 0 ? MemorySegment.NULL : arena.allocate(barLength, 4096);
    memory = new HostMemory(bufferBar.asSlice(Math.min(barLength, config.cmbOffset()), config.cmbSize()), config.cmbUses());
    state = new ControllerState(config);
    completer = new Completer(arena, memory, config.vectors());
    shadows = new ShadowDoorbells(arena, memory, config.doorbellStride());
    events = new AsyncEvents(config.asyncEventLimit() + 1);
    pointers = new DataPointers(arena, memory, config);
    ErrorLog log = new ErrorLog(arena);
    Health health = new Health();
    queues = new QueueSet(config, memory, shadows, events, log, violations);
    hostBuffer = new HostBuffer(arena, config, memory, violations);
    features = new Features(config, queues, completer, hostBuffer);
    AdminCommands admin =
        new AdminCommands(
            arena,
            config,
            memory,
            queues,
            pointers,
            new IdentifyPages(config, namespaces),
            features,
            new LogPages(log, health, events),
            shadows,
            hostBuffer);
    IoCommands io = new IoCommands(arena, config, namespaces, pointers, memory, features, health, hostBuffer);
    loop =
        new CommandLoop(
            arena, config, memory, state, queues, shadows, completer, events, log, admin, io, faults, alarm, violations);
    registers = new Registers(config, state, memory, violations, new ControlOfThis());
  }

  /** Return how the controller misbehaves. */
  public FaultPlan faults() {
    return faults;
  }

  /** Return what the host did against the specification so far, in words; at most 100. */
  public List<String> violations() {
    return violations.list();
  }

  @Override
  public Identity identity() {
    return new Identity(VENDOR, DEVICE, NVME_CLASS, 1);
  }

  @Override
  public List<BarSpec> bars() {
    BarSpec[] bars = new BarSpec[BARS];
    Arrays.fill(bars, BarSpec.NONE);
    bars[REGISTER_BAR] = new BarSpec(DeviceSlot.Bar.Kind.REGISTERS, Registers.length(config));
    if (bufferBar.byteSize() != 0) {
      bars[config.cmbBar()] = new BarSpec(DeviceSlot.Bar.Kind.MEMORY, bufferBar.byteSize());
    }
    return List.of(bars);
  }

  @Override
  public int vectors() {
    return config.vectors();
  }

  @Override
  public void connect(BusMaster bus, Signals to) {
    memory.connect(bus);
    loop.connect(to);
    alarm.connect(to);
    signals = to;
  }

  @Override
  public long read(int bar, long offset, int width) {
    return faults.isRemoved() || bar != REGISTER_BAR ? GONE : registers.read(offset, width);
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    if (!faults.isRemoved() && bar == REGISTER_BAR) {
      registers.write(offset, width, value);
    }
  }

  @Override
  public MemorySegment memory(int bar) {
    if (bufferBar.byteSize() == 0 || bar != config.cmbBar()) {
      throw new IllegalArgumentException("BAR " + bar + " is not memory");
    }
    return bufferBar;
  }

  @Override
  public void reset() {
    forget();
    registers.powerOn();
    hostBuffer.forget();
    state.powerOn();
  }

  @Override
  public boolean step(int budget) {
    if (faults.isRemoved()) {
      return false;
    }
    if (faults.takeFatal()) {
      state.fail();
    }
    if (faults.takePowerLoss()) {
      losePower();
    }
    for (Integer word = faults.takeEvent(); word != null; word = faults.takeEvent()) {
      raise(word);
    }
    long now = signals.nanoTime();
    long untilChange = state.advance(now);
    if (untilChange > 0) {
      alarm.wakeAfter(now, untilChange);
    }
    return loop.step(budget);
  }

  @Override
  public void close() {
    for (Namespace namespace : namespaces) {
      namespace.close();
    }
    arena.close();
  }

  /** Forget queues, commands, events and features, as every kind of reset does. */
  private void forget() {
    loop.clear();
    queues.clear();
    shadows.disable();
    events.reset();
    completer.reset();
    features.reset();
    hostBuffer.suspend();
  }

  /** Report an event, unless it is a notice that the host did not ask for. */
  private void raise(int word) {
    int type = AsyncEventLayout.TYPE.get(word);
    if (type != AsyncEventLayout.TYPE_NOTICE || features.isNoticed(AsyncEventLayout.INFORMATION.get(word))) {
      events.raise(type, AsyncEventLayout.INFORMATION.get(word), AsyncEventLayout.LOG_PAGE.get(word));
    }
  }

  private void losePower() {
    reset();
    for (Namespace namespace : namespaces) {
      namespace.losePower();
    }
  }

  private static Namespace[] open(NvmeModelConfig config) {
    Namespace[] opened = new Namespace[config.namespaces().size()];
    for (int i = 0; i < opened.length; i++) {
      try {
        opened[i] = new Namespace(i + 1, config.namespaces().get(i), config.writeCache() && config.losesUnflushed());
      } catch (RuntimeException e) {
        for (int j = 0; j < i; j++) {
          opened[j].close();
        }
        throw e;
      }
    }
    return opened;
  }

  /** What registers make this controller do. */
  private final class ControlOfThis implements Registers.Control {
    @Override
    public long now() {
      return signals.nanoTime();
    }

    @Override
    public void start(int cc, int aqa, long asq, long acq) {
      pointers.setPageSize(4096 << CcLayout.MPS.get(cc));
      queues.createAdmin(asq, acq, aqa);
    }

    @Override
    public void stop() {
      forget();
    }

    @Override
    public void flush() {
      for (Namespace namespace : namespaces) {
        namespace.flush();
      }
    }

    @Override
    public void resetSubsystem() {
      reset();
      state.noteSubsystemReset();
    }

    @Override
    public void ring(long offset, int value) {
      queues.ring(offset, value);
    }

    @Override
    public void mask(int vectors, boolean masked) {
      if (masked) {
        completer.mask(vectors);
      } else {
        completer.unmask(vectors);
        loop.signal();
      }
    }

    @Override
    public int maskedVectors() {
      return completer.maskedVectors();
    }

    @Override
    public void wake(long delayNanos) {
      if (delayNanos == 0) {
        signals.wake();
      } else {
        signals.wakeAfter(delayNanos);
      }
    }
  }
}
