package io.twostep.machine.model.pci;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.PeerRange;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.memory.MmioMap;
import io.twostep.machine.model.memory.ModelMemory;
import io.twostep.machine.model.run.MachineLock;
import io.twostep.machine.model.run.Scheduler;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A function in its place: configuration space, BARs, interrupts, and the model behind them.
 *
 * <p>As firmware leaves it, memory decoding is on and bus mastering off. A reset clears bus mastering and what was pending, and leaves BARs, decoding and MSI-X as the
 * host set them up, as a kernel restores them. Once pulled out, registers read all ones and accesses by the device are refused.
 */
public final class ModelSlot implements DeviceSlot, Scheduler.Turn, DeviceModel.Signals {
  private final PciAddress place;
  private final @Nullable PciPort port;
  private final DeviceAddress address;
  private final DeviceModel model;
  private final SlotOptions options;
  private final ModelSpace space;
  private final PciHost host;
  private final MachineLock lock;
  private final ConfigRegisters config;
  private final BarSet bars;
  private final @Nullable ModelMmio[] registers = new @Nullable ModelMmio[ConfigRegisters.BARS];
  private final boolean[] decodes = new boolean[ConfigRegisters.BARS];
  private final ModelInterrupts interrupts;
  private final BusTraffic traffic = new BusTraffic();
  private final ConfigSpace configView = new ConfigView();
  private boolean present = true;
  private boolean mastering;
  private long mmioReads;
  private long mmioWrites;

  /** What a function needs of the machine around it. */
  public record PciHost(
      ModelMemory memory,
      MmioMap mmio,
      HostBridge bridge,
      MachineLock lock,
      Scheduler scheduler,
      InterruptQueue interrupts,
      boolean isolated,
      @Nullable PciFabric fabric,
      Predicate<FailNth.Kind> fails) {}

  /** Put a model in its place; {@link #connect} makes it live. */
  public ModelSlot(DeviceAddress address, DeviceModel model, SlotOptions options, ModelSpace space, PciHost host) {
    this.place = PciAddress.of(address);
    this.port = host.fabric() == null ? null : host.fabric().above(place);
    this.address = address;
    this.model = model;
    this.options = options;
    this.space = space;
    this.host = host;
    this.lock = host.lock();
    this.config = new ConfigRegisters(model.identity());
    this.interrupts = new ModelInterrupts(address.text(), model.vectors(), host.interrupts(), this::letSignal, host.scheduler());
    MsixTable msix = new MsixTable(interrupts);
    BarSpec msixBar = interrupts.count() == 0 ? BarSpec.NONE : msix.bar();
    this.bars = new BarSet(address.text(), model, msixBar, config, host.bridge(), port == null ? HostBridge.BUS_TO_PHYS : port.hostBridge().busToPhys, host.mmio());
    Capabilities.addExpress(config, host.isolated() && port == null);
    if (bars.ownIndex() >= 0) {
      Capabilities.addMsix(config, interrupts.count(), bars.ownIndex(), msix.pendingOffset());
    }
    RegisterFile file = new ModelRegisters(model);
    for (int i = 0; i < ConfigRegisters.BARS; i++) {
      if (bars.get(i).kind() == Bar.Kind.REGISTERS) {
        registers[i] = new ModelMmio(this, lock, i == bars.ownIndex() ? msix : file, i, bars.get(i).length());
      }
    }
    config.set(ConfigRegisters.COMMAND, 2, ConfigRegisters.MEMORY_ENABLE);
    decode();
  }

  /** Give the model its side of the bus; the caller holds the machine's lock. */
  public void connect() {
    space.join(this);
    PciFabric fabric = host.fabric();
    if (fabric != null) {
      fabric.join(this);
    }
    PeerPath peers = fabric == null ? null : new PeerPath(this, fabric, host.bridge(), traffic);
    model.connect(new ModelBus(this, space, host.memory(), lock, traffic, peers, options.coherent(), host.fails()), this);
  }

  @Override
  public DeviceAddress address() {
    return address;
  }

  @Override
  public boolean trusted() {
    return options.trusted();
  }

  @Override
  public boolean coherent() {
    return options.coherent();
  }

  @Override
  public ConfigSpace config() {
    return configView;
  }

  @Override
  public Bar bar(int bar) {
    return bars.get(Objects.checkIndex(bar, ConfigRegisters.BARS));
  }

  @Override
  public Mmio mmio(int bar) {
    requirePresent();
    ModelMmio mmio = registers[Objects.checkIndex(bar, ConfigRegisters.BARS)];
    if (mmio == null) {
      throw new IllegalArgumentException(address + ": BAR " + bar + " has no registers, it is " + bar(bar).kind());
    }
    return mmio;
  }

  @Override
  public MemorySegment memory(int bar) {
    requirePresent();
    if (bar(bar).kind() != Bar.Kind.MEMORY) {
      throw new IllegalArgumentException(address + ": BAR " + bar + " is not memory, it is " + bar(bar).kind());
    }
    return model.memory(bar);
  }

  @Override
  public MemoryRegion publish(int bar, long offset, long length) {
    // Under the lock, so that a function that is pulled out at the same time has it revoked.
    lock.enter();
    try {
      requirePresent();
      Bar whole = bar(bar);
      PeerRange range = new PeerRange(this, bar, offset, whole.phys() + offset, whole.busAddress() + offset, length);
      MemoryRegion region = new MemoryRegion(range);
      host.mmio().publish(region, range);
      return region;
    } finally {
      lock.exit();
    }
  }

  @Override
  public void withdraw(MemoryRegion region) {
    lock.enter();
    try {
      host.mmio().withdraw(region);
      if (!present) {
        giveBackPlaces();
      }
    } finally {
      lock.exit();
    }
  }

  private void giveBackPlaces() {
    bars.giveBackPlaces(host.mmio().publishedOf(this));
  }

  /** Take back what is published of a function that was pulled out; without the machine's lock. */
  public void revokePublished() {
    host.mmio().publishedOf(this).forEach(PeerRange::revoke);
  }

  @Override
  public Interrupts interrupts() {
    return interrupts;
  }

  @Override
  public void busMaster(boolean enabled) {
    lock.enter();
    try {
      long command = config.get(ConfigRegisters.COMMAND, 2);
      long master = ConfigRegisters.MASTER_ENABLE;
      config.set(ConfigRegisters.COMMAND, 2, enabled ? command | master : command & ~master);
      decode();
      signalling();
    } finally {
      lock.exit();
    }
  }

  @Override
  public void reset() {
    lock.enter();
    try {
      if (present) {
        resetFunction();
      }
    } finally {
      lock.exit();
    }
  }

  private void resetFunction() {
    host.scheduler().forget(this);
    interrupts.clear();
    config.set(ConfigRegisters.COMMAND, 2, ConfigRegisters.MEMORY_ENABLE);
    bars.restore(config);
    decode();
    signalling();
    model.reset();
  }

  /** Take the function out; the caller holds the machine's lock. */
  public void remove() {
    present = false;
    decode();
    host.scheduler().forget(this);
    interrupts.clear();
    bars.remove();
    giveBackPlaces();
    space.leave(this);
    PciFabric fabric = host.fabric();
    if (fabric != null) {
      fabric.leave(this);
    }
    model.close();
  }

  @Override
  public boolean step(int budget) {
    try {
      return present && model.step(budget);
    } catch (RuntimeException e) {
      throw new IllegalStateException(address + ": the model failed in step: " + e, e);
    }
  }

  @Override
  public void interrupt(int vector) {
    if (present && !host.fails().test(FailNth.Kind.INTERRUPT)) {
      interrupts.signal(vector);
    }
  }

  @Override
  public void wake() {
    lock.enter();
    try {
      if (present) {
        host.scheduler().wake(this);
      }
    } finally {
      lock.exit();
    }
  }

  @Override
  public void wakeAfter(long delayNanos) {
    lock.enter();
    try {
      if (present) {
        host.scheduler().wakeAfter(delayNanos, this);
      }
    } finally {
      lock.exit();
    }
  }

  @Override
  public long nanoTime() {
    return host.scheduler().nanoTime();
  }

  /** Return the address space. */
  public ModelSpace space() {
    return space;
  }

  /** Return what the device moved; read it under the machine's lock. */
  public BusTraffic traffic() {
    return traffic;
  }

  /** Return the CPU's register accesses so far; read it under the machine's lock. */
  public long mmioReads() {
    return mmioReads;
  }

  /** Return the CPU's register accesses so far; read it under the machine's lock. */
  public long mmioWrites() {
    return mmioWrites;
  }

  /** Return the place in the tree. */
  public PciAddress place() {
    return place;
  }

  /** Return the port above; only where there is a tree. */
  PciPort port() {
    PciPort above = port;
    if (above == null) {
      throw new IllegalStateException(address + ": the machine has no tree");
    }
    return above;
  }

  /** Return the BAR that decodes a bus address, -1 if none does. */
  int barAtBusAddress(long busAddress) {
    int bar = bars.atBusAddress(busAddress);
    return bar >= 0 && decodes[bar] ? bar : -1;
  }

  /** Return the BAR that decodes a physical address, -1 if none does. */
  int barAtPhys(long phys) {
    int bar = bars.atPhys(phys);
    return bar >= 0 && decodes[bar] ? bar : -1;
  }

  /** Return the registers of a BAR, null if it has none. */
  @Nullable ModelMmio registers(int bar) {
    return registers[bar];
  }

  /** Return the memory of a BAR for peers. */
  MemorySegment barMemory(int bar) {
    return model.memory(bar);
  }

  boolean masters() {
    return mastering;
  }

  void countMmioRead() {
    mmioReads++;
  }

  void countMmioWrite() {
    mmioWrites++;
  }

  boolean answersRead(int bar) {
    return decodes[bar] && !host.fails().test(FailNth.Kind.MMIO_READ);
  }

  boolean answersWrite(int bar) {
    return decodes[bar] && !host.fails().test(FailNth.Kind.MMIO_WRITE);
  }

  /** Turn MSI-X on, as the host does before it hands a vector to a driver; functions without signal anyway. */
  private void letSignal() {
    lock.enter();
    try {
      if (bars.ownIndex() >= 0) {
        config.set(Capabilities.MSIX_CONTROL, 2, config.get(Capabilities.MSIX_CONTROL, 2) | Capabilities.MSIX_ENABLE);
      }
      signalling();
    } finally {
      lock.exit();
    }
  }

  /** Work out whether vectors may signal; with MSI-X an interrupt is a write to memory, which only a bus master makes. */
  private void signalling() {
    long control = config.get(Capabilities.MSIX_CONTROL, 2);
    boolean on = mastering && (control & Capabilities.MSIX_ENABLE) != 0 && (control & Capabilities.MSIX_FUNCTION_MASK) == 0;
    interrupts.open(bars.ownIndex() < 0 || on);
  }

  private void requirePresent() {
    lock.enter();
    try {
      if (!present) {
        throw new DmaMappingException(Reason.DETACHED, address + ": the device was pulled out");
      }
    } finally {
      lock.exit();
    }
  }

  /** Work out what the command register and the BARs allow. */
  private void decode() {
    long command = config.get(ConfigRegisters.COMMAND, 2);
    mastering = present && (command & ConfigRegisters.MASTER_ENABLE) != 0;
    for (int i = 0; i < ConfigRegisters.BARS; i++) {
      decodes[i] =
          present
              && (command & ConfigRegisters.MEMORY_ENABLE) != 0
              && bars.get(i).kind() != Bar.Kind.NONE
              && bars.inPlace(i, config);
    }
  }

  /** Tell whether a write sets the function-level reset bit, which always reads as zero. */
  private static boolean asksForReset(int offset, int width, long value) {
    int top = Capabilities.DEVICE_CONTROL + 1;
    return offset <= top && offset + width > top && ((value >>> (8 * (top - offset))) & (Capabilities.FUNCTION_RESET >>> 8)) != 0;
  }

  /** The registers of the model, with its own answers. */
  private record ModelRegisters(DeviceModel model) implements RegisterFile {
    @Override
    public long read(int bar, long offset, int width) {
      return model.read(bar, offset, width);
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
      model.write(bar, offset, width, value);
    }
  }

  private final class ConfigView implements ConfigSpace {
    @Override
    public long read(int offset, int width) {
      lock.enter();
      try {
        long value = config.read(offset, width);
        return present ? value : -1L >>> (64 - 8 * width);
      } finally {
        lock.exit();
      }
    }

    @Override
    public void write(int offset, int width, long value) {
      lock.enter();
      try {
        if (present) {
          config.write(offset, width, value);
          decode();
          signalling();
          if (asksForReset(offset, width, value)) {
            resetFunction();
          }
        }
      } finally {
        lock.exit();
      }
    }
  }

  @Override
  public String toString() {
    return address.text();
  }
}
