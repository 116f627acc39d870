package io.twostep.tck;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A device without a mind: the test says what it reads and writes, and a refusal is an answer. Thread-safe once plugged. */
public final class ProbeDevice implements DeviceModel {
  /** The BAR that is memory, in a probe that has any. */
  public static final int MEMORY_BAR = 2;

  private final MemorySegment memory;
  private volatile @Nullable BusMaster bus;

  /** Create a probe, to be plugged into one machine. */
  public ProbeDevice() {
    this(MemorySegment.NULL);
  }

  private ProbeDevice(MemorySegment memory) {
    this.memory = memory;
  }

  /** Create a probe that has memory of its own for others to reach; {@code length} is a power of two of at least 4096 bytes. */
  public static ProbeDevice withMemory(long length) {
    return withMemory(Arena.ofAuto().allocate(length, 4096));
  }

  /** Create a probe whose own memory is {@code memory}, a power of two of at least 4096 bytes, which must stay open as long as the machine. */
  public static ProbeDevice withMemory(MemorySegment memory) {
    return new ProbeDevice(memory);
  }

  /** Return the bytes of its own memory; 0 if it has none. */
  public long memoryLength() {
    return memory.byteSize();
  }

  /** Return what its own memory holds. */
  public byte[] memory(long offset, int length) {
    return memory.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  /** Put bytes into its own memory. */
  public void put(long offset, byte[] bytes) {
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, memory, offset, bytes.length);
  }

  /** Return what the device reads, or null if any byte of it is refused. */
  public byte @Nullable [] tryRead(long dmaAddress, int length) {
    byte[] bytes = new byte[length];
    return plugged().read(dmaAddress, MemorySegment.ofArray(bytes), 0, length) == BusMaster.OK ? bytes : null;
  }

  /** Write as the device and tell whether every byte was accepted. */
  public boolean tryWrite(long dmaAddress, byte[] bytes) {
    return plugged().write(dmaAddress, MemorySegment.ofArray(bytes), 0, bytes.length) == BusMaster.OK;
  }

  /** Return what the device reads; a refusal fails the test. */
  public byte[] read(long dmaAddress, int length) {
    byte[] bytes = tryRead(dmaAddress, length);
    if (bytes == null) {
      throw new AssertionError("the device was refused to read 0x%x+0x%x".formatted(dmaAddress, length));
    }
    return bytes;
  }

  /** Write as the device; a refusal fails the test. */
  public void write(long dmaAddress, byte[] bytes) {
    if (!tryWrite(dmaAddress, bytes)) {
      throw new AssertionError("the device was refused to write 0x%x+0x%x".formatted(dmaAddress, bytes.length));
    }
  }

  /** Fail the test if the device can read or write the byte at an address. */
  public void requireRefused(long dmaAddress, String what) {
    if (tryRead(dmaAddress, 1) != null) {
      throw new AssertionError("the device can still read 0x%x: %s".formatted(dmaAddress, what));
    }
    if (tryWrite(dmaAddress, new byte[1])) {
      throw new AssertionError("the device can still write 0x%x: %s".formatted(dmaAddress, what));
    }
  }

  private BusMaster plugged() {
    BusMaster connected = bus;
    if (connected == null) {
      throw new IllegalStateException("the probe is not plugged into a machine");
    }
    return connected;
  }

  /** Put a translation of the test's own between the plugged device and the bus. */
  public void through(UnaryOperator<BusMaster> translation) {
    bus = translation.apply(plugged());
  }

  @Override
  public Identity identity() {
    return new Identity(0x1af4, 0x10fe, 0xff0000, 0);
  }

  /** Return one BAR of registers: addresses that are no memory. A probe with memory of its own has it in another. */
  @Override
  public List<BarSpec> bars() {
    BarSpec registers = new BarSpec(Bar.Kind.REGISTERS, 4096);
    return memoryLength() == 0 ? List.of(registers) : List.of(registers, BarSpec.NONE, new BarSpec(Bar.Kind.MEMORY, memoryLength()));
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
    bus = master;
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
