package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.ForwardingMemory;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.memory.DeviceWindows;
import io.twostep.machine.linux.memory.ProcessMemory;
import io.twostep.machine.linux.memory.Ram;
import io.twostep.machine.linux.memory.RamOptions;
import io.twostep.machine.linux.memory.RamOptions.PageSize;
import org.jspecify.annotations.Nullable;

/** Memory in one file, which a server is given once and whole. Once the server is lost it hands out nothing: the server may still hold it. */
final class PooledMemory extends ForwardingMemory implements DeviceMemory {
  private final ProcessMemory memory;
  private final Runnable requireAlive;

  private PooledMemory(ProcessMemory memory, Runnable requireAlive) {
    super(memory);
    this.memory = memory;
    this.requireAlive = requireAlive;
  }

  /** Map a file of {@code length} bytes; {@code requireAlive} throws once the server is lost. */
  static PooledMemory open(Kernel kernel, long length, Runnable requireAlive) {
    return new PooledMemory(new ProcessMemory(Ram.map(kernel, new RamOptions(length, PageSize.SMALL, true, "")), new DeviceWindows()), requireAlive);
  }

  /** Return the address of the first byte. */
  long first() {
    return memory.ram().first();
  }

  /** Return the bytes of the whole file. */
  long length() {
    return memory.ram().length();
  }

  @Override
  public @Nullable FileRun fileAt(long phys, long length) {
    long offset = phys - first();
    return Long.compareUnsigned(offset, length()) >= 0
        ? null
        : new FileRun(memory.ram().file(), offset, memory.segment(phys, Math.min(length, length() - offset)));
  }

  @Override
  public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
    requireAlive.run();
    return memory.allocate(length, placement, highestPhys);
  }

  @Override
  public void close() {
    memory.close();
  }
}
