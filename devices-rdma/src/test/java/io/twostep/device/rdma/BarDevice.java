package io.twostep.device.rdma;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A device that is nothing but memory in a BAR. */
final class BarDevice implements DeviceModel {
  static final int BAR = 2;

  private final MemorySegment memory;

  BarDevice(MemorySegment memory) {
    this.memory = memory;
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
  public void connect(BusMaster bus, Signals signals) {}

  @Override
  public long read(int bar, long offset, int width) {
    return -1;
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
