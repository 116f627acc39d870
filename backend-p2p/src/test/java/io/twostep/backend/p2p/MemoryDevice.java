package io.twostep.backend.p2p;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A device with a BAR of memory, whose own accesses the test makes. */
final class MemoryDevice implements DeviceModel {
  static final int BAR = 2;
  static final int BYTES = 256 << 10;

  final MemorySegment memory;
  private @Nullable BusMaster bus;

  /** What stands between the device and the bus, beside the machine. */
  UnaryOperator<BusMaster> between = UnaryOperator.identity();

  MemoryDevice(Arena arena) {
    this(arena.allocate(BYTES, 4096));
  }

  MemoryDevice(MemorySegment memory) {
    this.memory = memory;
  }

  /** Reads as the device; null if the machine refuses. */
  byte @Nullable [] read(long dmaAddress, int length) {
    byte[] bytes = new byte[length];
    return bus().read(dmaAddress, MemorySegment.ofArray(bytes), 0, length) == BusMaster.OK ? bytes : null;
  }

  /** Writes as the device; false if the machine refuses. */
  boolean write(long dmaAddress, byte[] bytes) {
    return bus().write(dmaAddress, MemorySegment.ofArray(bytes), 0, bytes.length) == BusMaster.OK;
  }

  byte[] bytes(long offset, int length) {
    return memory.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  private BusMaster bus() {
    BusMaster connected = bus;
    if (connected == null) {
      throw new IllegalStateException("not plugged");
    }
    return connected;
  }

  @Override
  public Identity identity() {
    return new Identity(0x1af4, 0x10f0, 0x058000, 0);
  }

  @Override
  public List<BarSpec> bars() {
    return List.of(BarSpec.NONE, BarSpec.NONE, new BarSpec(Bar.Kind.MEMORY, memory.byteSize()));
  }

  @Override
  public MemorySegment memory(int bar) {
    return memory;
  }

  @Override
  public int vectors() {
    return 0;
  }

  @Override
  public void connect(BusMaster master, Signals signals) {
    bus = between.apply(master);
  }

  @Override
  public long read(int bar, long offset, int width) {
    return -1L;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {}

  @Override
  public void reset() {}

  @Override
  public boolean step(int budget) {
    return false;
  }

  @Override
  public void close() {}
}
