package io.twostep.machine.linux.slot;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.PeerRange;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciFunction.PciBar;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.memory.DeviceWindows;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.vfio.VfioDevice;
import io.twostep.machine.linux.vfio.VfioInterrupts;
import io.twostep.machine.linux.vfio.VfioRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A PCI function that VFIO handed over. Its BARs are mapped when they are first asked for, and stay so until the machine closes.
 *
 * <p>Registers of a function that is gone read all ones and lose writes, which is logged once for each BAR; {@link #mmio}, {@link #memory} and {@link #publish} say DETACHED from then on.
 */
public final class VfioSlot implements DeviceSlot {
  private static final Logger LOG = LoggerFactory.getLogger(VfioSlot.class);
  private static final int BARS = 6;

  private final DeviceAddress address;
  private final PciFunction function;
  private final GroupSpace space;
  private final VfioDevice device;
  private final DeviceWindows windows;
  private final boolean trusted;
  private final SlotConfig config;
  private final VfioInterrupts interrupts;
  private final Arena arena = Arena.ofShared();
  private final @Nullable MemorySegment[] mapped = new @Nullable MemorySegment[BARS];
  private final @Nullable Mmio[] registers = new @Nullable Mmio[BARS];

  /** BARs, as bits, whose loss was logged. */
  private final AtomicInteger lostBars = new AtomicInteger();

  private boolean closed;

  /** What all slots of a machine share. */
  public record Shared(Kernel kernel, EventLoop loop, DeviceWindows windows, boolean trusted, int mostVectors) {}

  private VfioSlot(PciFunction function, GroupSpace space, VfioDevice device, Shared shared) {
    this.address = new DeviceAddress(function.address());
    this.function = function;
    this.space = space;
    this.device = device;
    this.windows = shared.windows;
    this.trusted = shared.trusted;
    config = new SlotConfig(device);
    interrupts = new VfioInterrupts(shared.kernel, device, shared.loop, shared.mostVectors);
  }

  /** Open a function of a group, with memory decoding on and bus mastering off. */
  public static VfioSlot open(PciFunction function, GroupSpace space, Shared shared) {
    VfioDevice device = space.openDevice(function.address());
    try {
      VfioSlot slot = new VfioSlot(function, space, device, shared);
      slot.busMaster(false);
      if (!slot.config.command(SlotConfig.MEMORY_ENABLE, true)) {
        throw slot.silent("its memory decoding cannot be switched on");
      }
      space.join(slot);
      return slot;
    } catch (RuntimeException e) {
      throw Closing.after(e, device::close);
    }
  }

  /** Return the address space of its group. */
  public GroupSpace space() {
    return space;
  }

  @Override
  public DeviceAddress address() {
    return address;
  }

  @Override
  public boolean trusted() {
    return trusted;
  }

  /** Return true: VFIO's containers map memory so that devices see CPU caches, as all devices of this architecture do. */
  @Override
  public boolean coherent() {
    return true;
  }

  @Override
  public ConfigSpace config() {
    return config;
  }

  @Override
  public synchronized Bar bar(int bar) {
    PciBar described = function.bars().get(Objects.checkIndex(bar, BARS));
    if (described.length() == 0 || described.io()) {
      return Bar.NONE;
    }
    MemorySegment view = map(bar);
    long phys = view == null ? 0 : view.address();
    return new Bar(
        described.prefetchable() && view != null ? Bar.Kind.MEMORY : Bar.Kind.REGISTERS, phys, described.busAddress(), described.length());
  }

  @Override
  public synchronized Mmio mmio(int bar) {
    requireAnswers();
    if (bar(bar).kind() == Bar.Kind.NONE) {
      throw new IllegalArgumentException(address + ": BAR " + bar + " has no registers");
    }
    Mmio mmio = registers[bar];
    if (mmio == null) {
      MemorySegment view = map(bar);
      String name = address + " BAR " + bar;
      mmio = view == null ? new RegionMmio(device, device.region(bar), name, cause -> lost(bar, cause)) : new BarMmio(view, name, cause -> lost(bar, cause));
      registers[bar] = mmio;
    }
    return mmio;
  }

  /** Note an access to registers that are not there. */
  private void lost(int bar, @Nullable Throwable cause) {
    int bit = 1 << bar;
    if ((lostBars.getAndUpdate(told -> told | bit) & bit) == 0) {
      LOG.warn(
          "{} BAR {}: the registers are gone ({}): the device was removed, reset by another, or its memory decoding is off; they read all ones and lose writes, close it and open it again",
          address,
          bar,
          cause == null ? "no answer" : cause.getMessage());
    }
  }

  private void requireAnswers() {
    if (config.read(0, 2) == 0xffff) {
      throw silent("its configuration space reads all ones");
    }
  }

  @Override
  public synchronized MemorySegment memory(int bar) {
    requireAnswers();
    MemorySegment view = bar(bar).kind() == Bar.Kind.MEMORY ? map(bar) : null;
    if (view == null) {
      throw new IllegalArgumentException(address + ": BAR " + bar + " is not memory, it is " + bar(bar).kind());
    }
    return view;
  }

  /** Map a BAR once; null if it cannot be mapped whole. */
  @SuppressWarnings("restricted")
  private @Nullable MemorySegment map(int bar) {
    if (closed) {
      throw new DmaMappingException(Reason.DETACHED, address + ": the machine is closed");
    }
    MemorySegment view = mapped[bar];
    if (view == null) {
      VfioRegion region = device.region(bar);
      if (!region.isWhollyMappable()) {
        return null;
      }
      MemorySegment raw = device.map(region, region.mappable().getFirst());
      windows.add(raw, address + " BAR " + bar);
      view = raw.reinterpret(arena, null);
      mapped[bar] = view;
    }
    return view;
  }

  @Override
  public MemoryRegion publish(int bar, long offset, long length) {
    requireAnswers();
    Bar described = bar(bar);
    if (described.kind() != Bar.Kind.MEMORY) {
      throw new DmaMappingException(Reason.UNSUPPORTED, address + ": BAR " + bar + " is not memory that could be mapped; nothing of it can be published");
    }
    Objects.checkFromIndexSize(offset, length, described.length());
    MemoryRegion region =
        new MemoryRegion(new PeerRange(this, bar, offset, described.phys() + offset, described.busAddress() + offset, length));
    windows.publish(described.phys() + offset, length, region);
    return region;
  }

  @Override
  public void withdraw(MemoryRegion region) {
    windows.withdraw(region);
  }

  @Override
  public Interrupts interrupts() {
    return interrupts;
  }

  /**
   * Let the device master the bus, or stop it.
   *
   * @throws DmaMappingException DETACHED if the register does not read back so: the device is gone, or does not obey
   */
  @Override
  public void busMaster(boolean enabled) {
    if (!config.command(SlotConfig.MASTER_ENABLE, enabled)) {
      throw silent("its bus mastering cannot be switched " + (enabled ? "on" : "off"));
    }
  }

  /**
   * Reset the function.
   *
   * @throws DmaMappingException UNSUPPORTED if the kernel cannot reset it alone; DETACHED if it does not come back
   */
  @Override
  public void reset() {
    if (!device.canReset()) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED, address + ": the kernel cannot reset this function alone (no function-level or power-management reset); close the machine, which hands it back");
    }
    busMaster(false);
    try {
      device.reset();
    } catch (SystemCallException e) {
      DmaMappingException failed = silent("the reset failed");
      failed.initCause(e);
      throw failed;
    }
    if (!config.command(SlotConfig.MEMORY_ENABLE, true)) {
      throw silent("it does not answer after the reset");
    }
  }

  private DmaMappingException silent(String what) {
    return new DmaMappingException(Reason.DETACHED, address + ": " + what + ": it is gone, or does not answer; close it and see the kernel's log");
  }

  /** Stop the device from reaching memory; returns whether that is proved. */
  public boolean tryStop() {
    return config.command(SlotConfig.MASTER_ENABLE, false);
  }

  /** Give the device back to the kernel, after {@link #tryStop}; what is mapped of it goes. */
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    new Closing().then(interrupts::close).then(this::unmapAll).then(device::close).end();
  }

  /** What a native call holds cannot be unmapped under it: then the arena throws, and all stays mapped. */
  private void unmapAll() {
    arena.close();
    Closing closing = new Closing();
    for (MemorySegment view : mapped) {
      if (view != null) {
        windows.remove(view.address(), view.byteSize());
        closing.then(() -> unmap(view));
      }
    }
    closing.end();
  }

  /** The view has died with its arena; what it saw is still mapped. */
  @SuppressWarnings("restricted")
  private void unmap(MemorySegment view) {
    device.unmap(MemorySegment.ofAddress(view.address()).reinterpret(view.byteSize()));
  }

  @Override
  public String toString() {
    return address.text();
  }
}
