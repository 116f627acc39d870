package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo.Area;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** The model with what stands around it as long as it is served: configuration space, BARs, its way to memory. Not thread-safe. */
final class ServedDevice implements AutoCloseable {
  private static final int READ_WRITE = RegionInfo.READ | RegionInfo.WRITE;

  private final DeviceModel model;
  private final ServedBars bars;
  private final ServedConfig config;
  private final ClientBus bus;
  private final ModelRunner runner;
  private final int vectors;
  private final @Nullable SharedRegisters shared;

  /** Put a model into its place, and connect it. */
  ServedDevice(Kernel kernel, DeviceModel model, VfioUserServerConfig served, LongSupplier nanoTime) {
    SharedWindow window = served.shared();
    this.model = model;
    vectors = model.vectors();
    bars = new ServedBars(model);
    config = new ServedConfig(model.identity(), bars.all(), vectors, bars.tableBar(), bars.pendingOffset());
    bus = new ClientBus(config);
    runner = new ModelRunner(model, nanoTime);
    if (window != null && bars.all().get(window.bar()).length() - window.offset() < window.length()) {
      throw new IllegalArgumentException(
          "shared window 0x%x+0x%x lies outside BAR %d of 0x%x bytes".formatted(window.offset(), window.length(), window.bar(), bars.all().get(window.bar()).length()));
    }
    shared = window == null ? null : new SharedRegisters(kernel, served.socket(), window);
    model.connect(bus, runner);
  }

  int vectors() {
    return vectors;
  }

  ClientBus bus() {
    return bus;
  }

  ModelRunner runner() {
    return runner;
  }

  /** Return the memory behind registers that clients write by store, null if there is none. */
  @Nullable SharedRegisters shared() {
    return shared;
  }

  /** Hand over what the client stored; returns whether there was anything. */
  boolean sweep() {
    return shared != null && shared.sweep(model);
  }

  /** Describe a region. */
  RegionInfo region(int index) {
    long size = size(index);
    if (size == 0) {
      return RegionInfo.none(index);
    }
    if (shared == null || shared.window().bar() != index) {
      return new RegionInfo(READ_WRITE, index, size, 0, List.of());
    }
    SharedWindow window = shared.window();
    return new RegionInfo(READ_WRITE | RegionInfo.MAP, index, size, 0, List.of(new Area(window.offset(), window.length())));
  }

  private long size(int region) {
    if (region < 0 || region >= RegionIndex.COUNT) {
      throw new ProtocolException("region " + Integer.toUnsignedString(region) + ", which a PCI function has not");
    }
    if (region == RegionIndex.CONFIG) {
      return ServedConfig.SIZE;
    }
    return region < RegionIndex.BARS ? bars.all().get(region).length() : 0;
  }

  /** Read {@code count} bytes of a region to {@code at}. */
  void read(int region, long offset, MemorySegment to, long at, int count) {
    requireInside(region, offset, count);
    if (region == RegionIndex.CONFIG) {
      config.read((int) offset, to, at, count);
    } else {
      bars.read(region, offset, to, at, count);
    }
  }

  /** Write {@code count} bytes of a region from {@code at}. */
  void write(int region, long offset, MemorySegment from, long at, int count) {
    requireInside(region, offset, count);
    if (region != RegionIndex.CONFIG) {
      bars.write(region, offset, from, at, count);
    } else if (config.write((int) offset, from, at, count)) {
      reset();
    }
  }

  private void requireInside(int region, long offset, long count) {
    long size = size(region);
    if (offset < 0 || count <= 0 || offset > size - count) {
      throw new ProtocolException("access of 0x%x+0x%x of region %d, which has 0x%x bytes".formatted(offset, count, region, size));
    }
  }

  /** Reset the function: it forgets what was in flight and masters the bus no more. */
  void reset() {
    config.reset();
    if (shared != null) {
      shared.clear();
    }
    runner.reset();
  }

  /** Let go of the registers that the client can store to, after {@link #forgetClient}; the next one gets others. May be repeated. */
  void closeShared() {
    if (shared != null) {
      shared.close();
    }
  }

  /** Forget the client: its memory, its vectors, and all that it did to the function. */
  void forgetClient() {
    bus.use(null, null);
    runner.interruptsTo(vector -> {});
    config.powerOn();
    reset();
  }

  @Override
  public void close() {
    new Closing().then(model::close).then(this::closeShared).end();
  }
}
