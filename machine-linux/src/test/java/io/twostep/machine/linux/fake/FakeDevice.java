package io.twostep.machine.linux.fake;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.Stream;

/** A PCI function in a {@link FakeKernel}: BAR 0 registers, BAR 2 memory, 4 vectors of MSI-X, and a bus master that tests move by hand. */
@SuppressWarnings("restricted")
public final class FakeDevice {
  /** Bytes of BAR 0 and of BAR 2. */
  public static final long BAR_LENGTH = 16384;

  static final int VECTORS = 4;
  private static final long CONFIG_OFFSET = 7L << 40;

  private final FakeKernel kernel;
  private final FakeVfio.Group group;
  private final String address;
  private final MemorySegment[] bars = new MemorySegment[6];
  private final int[] events = new int[VECTORS];
  private byte[] config = new byte[256];
  private boolean gone;
  private Registers registers;
  private int accesses;
  private int lossAt;
  private Loss loss = Loss.ONE_ACCESS;
  private boolean deaf;
  private boolean resettable = true;
  private boolean hasLineOnly;
  private boolean lineAsserted;
  private boolean lineMasked;
  private boolean mappable = true;
  private int resets;

  FakeDevice(FakeKernel kernel, FakeVfio.Group group, String address) {
    this.kernel = kernel;
    this.group = group;
    this.address = address;
    bars[0] = Arena.ofAuto().allocate(BAR_LENGTH, 4096);
    bars[2] = Arena.ofAuto().allocate(BAR_LENGTH, 4096);
    Arrays.fill(events, -1);
  }

  /** What answers for BAR 0 instead of memory; asked 4 or 8 bytes at a time. */
  public interface Registers {
    long read(long offset, int width);

    void write(long offset, int width, long value);
  }

  /** What of a device stops answering. */
  public enum Loss {
    /** One access is a bus error, and no other. */
    ONE_ACCESS,
    /** The decoding of its BARs is off from an access on. */
    DECODING,
    /** It is gone from an access on. */
    DEVICE
  }

  /** Have something else answer for BAR 0, which can be reached by calls only then. */
  public void answerWith(Registers newRegisters) {
    registers = newRegisters;
    mappable = false;
  }

  /** Count accesses to BARs and configuration space anew, and lose what is said at the {@code n}-th, the first being 1; 0 for never. */
  public void loseAt(int n, Loss what) {
    accesses = 0;
    lossAt = n;
    loss = what;
  }

  /** Tell whether there were as many accesses as it took to lose something. */
  public boolean isLost() {
    return lossAt != 0 && accesses >= lossAt;
  }

  /** Pull the device out: it reads nothing and takes nothing. */
  public void pullOut() {
    gone = true;
  }

  /** Have the device ignore writes to its command register from now on. */
  public void ignoreCommands() {
    deaf = true;
  }

  /** Say that the function cannot be reset alone. */
  public void refuseReset() {
    resettable = false;
  }

  /** Have its BARs read and written by calls only from now on. */
  public void refuseMapping() {
    mappable = false;
  }

  /** Return how often it was reset. */
  public int resets() {
    return resets;
  }

  /** Return the bytes behind a BAR. */
  public MemorySegment bar(int bar) {
    return bars[bar];
  }

  /** Tell whether it may master the bus. */
  public boolean isMaster() {
    return (config[4] & 4) != 0;
  }

  /** Have no vectors, but the line. */
  public void lineOnly() {
    hasLineOnly = true;
  }

  /** Assert the line, or no more. The kernel masks it when it hears it, whether it has somebody to tell or not. */
  public void line(boolean asserted) {
    synchronized (kernel) {
      lineAsserted = asserted;
      hearLine();
    }
  }

  private void hearLine() {
    if (lineAsserted && !lineMasked) {
      lineMasked = true;
      interrupt(0);
    }
  }

  void unmaskLine() {
    synchronized (kernel) {
      lineMasked = false;
      hearLine();
    }
  }

  /** Return how many vectors an index has. */
  int vectors(int index) {
    return index == 2 && !hasLineOnly ? VECTORS : index == 0 && hasLineOnly ? 1 : 0;
  }

  /** Signal a vector. */
  public void interrupt(int vector) {
    if (events[vector] >= 0) {
      kernel.signal(events[vector]);
    }
  }

  /** Write to memory as the device; returns false if the IOMMU or the bus refuses it. */
  public boolean dmaWrite(long iova, byte[] bytes) {
    MemorySegment memory = isMaster() ? group.container().reach(iova, bytes.length, 2) : null;
    if (memory == null) {
      return false;
    }
    MemorySegment.copy(bytes, 0, memory, ValueLayout.JAVA_BYTE, 0, bytes.length);
    return true;
  }

  /** Read memory as the device; null if the IOMMU or the bus refuses it. */
  public byte[] dmaRead(long iova, int length) {
    MemorySegment memory = isMaster() ? group.container().reach(iova, length, 1) : null;
    return memory == null ? null : memory.toArray(ValueLayout.JAVA_BYTE);
  }

  boolean mappable() {
    return mappable;
  }

  boolean resettable() {
    return resettable;
  }

  void reset() {
    resets++;
    config[4] &= ~4;
    kernel.note(address + " reset");
  }

  void wire(int first, int[] numbers) {
    System.arraycopy(numbers, 0, events, first, numbers.length);
  }

  void silence() {
    lineMasked = false;
    Arrays.fill(events, -1);
  }

  MemorySegment map(long length, long offset) {
    return MemorySegment.ofAddress(bars[(int) (offset >>> 40)].address()).reinterpret(length);
  }

  private MemorySegment register(long offset, long length) {
    return bars[(int) (offset >>> 40)].asSlice(offset & (1L << 40) - 1, length);
  }

  boolean owns(long at) {
    return bars[0].address() == at || bars[2].address() == at;
  }

  /** Tell whether a range lies in a BAR. */
  boolean holds(long phys, long length) {
    return Stream.of(bars).filter(Objects::nonNull).anyMatch(bar -> phys >= bar.address() && phys + length <= bar.address() + BAR_LENGTH);
  }

  private void access(String call, boolean bar) {
    accesses++;
    boolean lost =
        switch (loss) {
          case ONE_ACCESS -> accesses == lossAt;
          case DECODING -> bar && isLost();
          case DEVICE -> isLost();
        };
    if (gone || lost) {
      throw new SystemCallException(call, address, Errno.EIO);
    }
  }

  long read(MemorySegment buffer, long offset) {
    access("pread", offset < CONFIG_OFFSET);
    Registers answering = registers;
    if (offset < BAR_LENGTH && answering != null) {
      long value = answering.read(offset, (int) buffer.byteSize());
      if (buffer.byteSize() == 4) {
        buffer.set(ValueLayout.JAVA_INT, 0, (int) value);
      } else {
        buffer.set(ValueLayout.JAVA_LONG, 0, value);
      }
      return buffer.byteSize();
    }
    if (offset < CONFIG_OFFSET) {
      buffer.copyFrom(register(offset, buffer.byteSize()));
      return buffer.byteSize();
    }
    int at = (int) (offset - CONFIG_OFFSET);
    MemorySegment.copy(config, at, buffer, ValueLayout.JAVA_BYTE, 0, (int) buffer.byteSize());
    return buffer.byteSize();
  }

  long write(MemorySegment buffer, long offset) {
    access("pwrite", offset < CONFIG_OFFSET);
    Registers answering = registers;
    if (offset < BAR_LENGTH && answering != null) {
      answering.write(offset, (int) buffer.byteSize(), buffer.byteSize() == 4 ? buffer.get(ValueLayout.JAVA_INT, 0) : buffer.get(ValueLayout.JAVA_LONG, 0));
      return buffer.byteSize();
    }
    if (offset < CONFIG_OFFSET) {
      register(offset, buffer.byteSize()).copyFrom(buffer);
      return buffer.byteSize();
    }
    int at = (int) (offset - CONFIG_OFFSET);
    boolean before = isMaster();
    if (!deaf || at != 4) {
      MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, config, at, (int) buffer.byteSize());
    }
    if (before != isMaster()) {
      kernel.note(address + " bus master " + (isMaster() ? "on" : "off"));
    }
    return buffer.byteSize();
  }

  /** The kernel stops the device when its descriptor goes, if that can be reached. */
  void closed() {
    if (loss == Loss.DEVICE && isLost()) {
      kernel.note(address + " closed out of reach");
      return;
    }
    if (isMaster()) {
      kernel.note(address + " bus master off by the kernel");
    }
    config[4] &= ~4;
    silence();
    kernel.note(address + " closed");
  }

  @Override
  public String toString() {
    return "device " + address;
  }
}
