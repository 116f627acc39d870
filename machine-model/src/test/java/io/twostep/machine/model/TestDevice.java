package io.twostep.machine.model;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.IntPredicate;

/** A device without a mind: registers that remember, and a bus that the test drives. */
public class TestDevice implements DeviceModel {
  public BusMaster bus;
  public Signals signals;
  public final long[] registers = new long[512];
  public IntPredicate work = budget -> false;
  public int resets;
  public boolean closed;
  public int closes;
  private final List<BarSpec> bars;
  private final MemorySegment barMemory;

  public TestDevice() {
    this(List.of(new BarSpec(Bar.Kind.REGISTERS, 4096)), MemorySegment.NULL);
  }

  public TestDevice(List<BarSpec> bars, MemorySegment barMemory) {
    this.bars = bars;
    this.barMemory = barMemory;
  }

  @Override
  public Identity identity() {
    return new Identity(0x1b36, 0x0010, 0x010802, 2);
  }

  @Override
  public List<BarSpec> bars() {
    return bars;
  }

  @Override
  public int vectors() {
    return 4;
  }

  @Override
  public void connect(BusMaster bus, Signals signals) {
    this.bus = bus;
    this.signals = signals;
  }

  @Override
  public long read(int bar, long offset, int width) {
    long value = registers[(int) (offset >>> 3)];
    return width == 8 ? value : value >>> 8 * (offset & 4) & 0xffff_ffffL;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    registers[(int) (offset >>> 3)] = value;
    signals.wake();
  }

  @Override
  public MemorySegment memory(int bar) {
    return barMemory;
  }

  @Override
  public void reset() {
    resets++;
    java.util.Arrays.fill(registers, 0);
  }

  @Override
  public boolean step(int budget) {
    return work.test(budget);
  }

  @Override
  public void close() {
    closed = true;
    closes++;
  }
}
