package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Mmio;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.slot.BarMmio;
import io.twostep.machine.linux.vfiouser.protocol.DeviceInfo;
import io.twostep.machine.linux.vfiouser.protocol.InterruptInfo;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo.Area;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The served device in its place.
 *
 * <p>A BAR that can be mapped whole is memory, any other is registers.
 */
final class RemoteSlot implements DeviceSlot, AutoCloseable {
  private static final long BUS_BAR_MASK = -16L;
  private static final int CONFIG_BAR_0 = 0x10;
  private static final long SMALLEST_CONFIG = 256;

  private final DeviceAddress address;
  private final boolean trusted;
  private final Connection connection;
  private final RemoteDevice device;
  private final boolean resettable;
  private final Bar[] bars = new Bar[RegionIndex.BARS];
  private final @Nullable RemoteRegisters[] registers = new @Nullable RemoteRegisters[RegionIndex.BARS];
  private final @Nullable MemorySegment[] memories = new @Nullable MemorySegment[RegionIndex.BARS];
  private final @Nullable BarMapping[] mappings = new @Nullable BarMapping[RegionIndex.BARS];
  private final Arena arena = Arena.ofShared();
  private final RemoteConfig config;
  private final RemoteInterrupts interrupts;

  /**
   * Ask the device what it is, and map what can be mapped.
   *
   * @throws DmaMappingException DETACHED if the answers make no PCI function
   * @throws SystemCallException if this process has no memory or descriptors left
   */
  RemoteSlot(Kernel kernel, EventLoop loop, DeviceAddress address, boolean trusted, Connection connection, RemoteDevice device) {
    this.address = address;
    this.trusted = trusted;
    this.connection = connection;
    this.device = device;
    try {
      DeviceInfo info = device.info();
      if ((info.flags() & DeviceInfo.PCI) == 0 || info.regions() <= RegionIndex.CONFIG || info.interrupts() <= InterruptInfo.MSIX) {
        throw new ProtocolException("serves no PCI function: %s".formatted(info));
      }
      resettable = (info.flags() & DeviceInfo.RESETTABLE) != 0;
      for (int i = 0; i < RegionIndex.BARS; i++) {
        bars[i] = open(kernel, i, device.region(i));
      }
      config = new RemoteConfig(connection, device, configLength(kernel));
      interrupts = new RemoteInterrupts(kernel, connection.device(), device, config, loop, device.interrupts(InterruptInfo.MSIX));
    } catch (RefusedException | ProtocolException e) {
      throw Closing.after(connection.lose(e instanceof RefusedException ? "does not say what it serves" : e.getMessage(), e), this::unmap);
    } catch (SystemCallException e) {
      if (e.isShortage()) {
        throw Closing.after(e.explained(connection.device(), "this process needs more of it: raise its limits, or close something"), this::unmap);
      }
      throw Closing.after(connection.lose("passed a descriptor that cannot be mapped: " + e.getMessage(), e), this::unmap);
    } catch (RuntimeException e) {
      throw Closing.after(e, this::unmap);
    }
  }

  private long configLength(Kernel kernel) {
    RemoteDevice.Region region = device.region(RegionIndex.CONFIG);
    if (!region.file().equals(Descriptor.NONE)) {
      kernel.close(region.file());
    }
    if (region.info().size() < SMALLEST_CONFIG) {
      throw new ProtocolException("serves a configuration space of %d bytes: it has at least %d".formatted(region.info().size(), SMALLEST_CONFIG));
    }
    return region.info().size();
  }

  private Bar open(Kernel kernel, int index, RemoteDevice.Region region) {
    RegionInfo info = region.info();
    String name = connection.device() + " BAR " + index;
    try {
      if (info.size() == 0) {
        return Bar.NONE;
      }
      BarMapping mapping = new BarMapping(kernel, name, info, region.file());
      mappings[index] = mapping;
      MemorySegment whole = mapping.parts().get(new Area(0, info.size()));
      if (whole != null) {
        memories[index] = ofSlot(whole);
        return new Bar(Bar.Kind.MEMORY, whole.address(), busAddress(index), info.size());
      }
      Map<Area, BarMmio> areas = new HashMap<>();
      mapping
          .parts()
          .forEach(
              (area, part) ->
                  areas.put(
                      area, new BarMmio(ofSlot(part), name, cause -> connection.lose("took away the memory behind BAR " + index, cause))));
      registers[index] = new RemoteRegisters(connection, device, index, info.size(), areas);
      return new Bar(Bar.Kind.REGISTERS, 0, busAddress(index), info.size());
    } finally {
      if (!region.file().equals(Descriptor.NONE)) {
        kernel.close(region.file());
      }
    }
  }

  /** Return a view that dies with the slot, before its memory is unmapped. */
  @SuppressWarnings("restricted")
  private MemorySegment ofSlot(MemorySegment mapped) {
    return mapped.reinterpret(arena, null);
  }

  private long busAddress(int bar) {
    return device.read(RegionIndex.CONFIG, CONFIG_BAR_0 + 4L * bar, 4) & BUS_BAR_MASK;
  }

  @Override
  public DeviceAddress address() {
    return address;
  }

  @Override
  public boolean trusted() {
    return trusted;
  }

  /** Return true: a process sees the CPU's caches. */
  @Override
  public boolean coherent() {
    return true;
  }

  @Override
  public ConfigSpace config() {
    return config;
  }

  @Override
  public Bar bar(int bar) {
    return bars[Objects.checkIndex(bar, bars.length)];
  }

  @Override
  public Mmio mmio(int bar) {
    connection.requireAlive();
    RemoteRegisters found = registers[Objects.checkIndex(bar, bars.length)];
    if (found == null) {
      throw new IllegalArgumentException(connection.device() + ": BAR " + bar + " has no registers, it is " + bars[bar].kind());
    }
    return found;
  }

  @Override
  public MemorySegment memory(int bar) {
    connection.requireAlive();
    MemorySegment found = memories[Objects.checkIndex(bar, bars.length)];
    if (found == null) {
      throw new IllegalArgumentException(connection.device() + ": BAR " + bar + " is not memory, it is " + bars[bar].kind());
    }
    return found;
  }

  @Override
  public Interrupts interrupts() {
    return interrupts;
  }

  /** Ask the device to master the bus, or not to: a lost server is asked nothing, and is trusted with nothing that was mapped for it. */
  @Override
  public void busMaster(boolean enabled) {
    config.busMaster(enabled);
  }

  /**
   * Reset the device and wait until the server says that it is done; a lost server is asked nothing.
   *
   * @throws DmaMappingException UNSUPPORTED if the server cannot, BACKEND if it refuses
   */
  @Override
  public void reset() {
    if (connection.isLost()) {
      return;
    }
    if (!resettable) {
      throw new DmaMappingException(Reason.UNSUPPORTED, connection.device() + ": the server does not offer a reset; restart it");
    }
    try {
      device.reset();
      config.busMaster(false);
      interrupts.restore();
    } catch (RefusedException e) {
      throw new DmaMappingException(Reason.BACKEND, e.getMessage() + "; restart it", e);
    }
  }

  /** Take interrupts and BARs away. */
  @Override
  public void close() {
    new Closing().then(interrupts::close).then(this::unmap).end();
  }

  private void unmap() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
    Closing closing = new Closing();
    for (BarMapping mapping : mappings) {
      if (mapping != null) {
        closing.then(mapping::close);
      }
    }
    closing.end();
  }

  @Override
  public String toString() {
    return connection.device();
  }
}
