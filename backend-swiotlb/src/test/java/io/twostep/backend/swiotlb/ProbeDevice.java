package io.twostep.backend.swiotlb;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A device without a mind: the test reads and writes memory through its bus. */
final class ProbeDevice implements DeviceModel {
  private BusMaster bus;

  /** Reads, or returns null if the access was refused. */
  byte[] read(long dmaAddress, int length) {
    byte[] bytes = new byte[length];
    return bus.read(dmaAddress, MemorySegment.ofArray(bytes), 0, length) == BusMaster.OK ? bytes : null;
  }

  /** Writes and tells whether the access was allowed. */
  boolean write(long dmaAddress, byte[] bytes) {
    return bus.write(dmaAddress, MemorySegment.ofArray(bytes), 0, bytes.length) == BusMaster.OK;
  }

  @Override
  public void connect(BusMaster bus, Signals signals) {
    this.bus = bus;
  }

  @Override
  public Identity identity() {
    return new Identity(0x1b36, 0x0010, 0x010802, 2);
  }

  @Override
  public List<BarSpec> bars() {
    return List.of(new BarSpec(Bar.Kind.REGISTERS, 4096));
  }

  @Override
  public int vectors() {
    return 1;
  }

  @Override
  public long read(int bar, long offset, int width) {
    return 0;
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
