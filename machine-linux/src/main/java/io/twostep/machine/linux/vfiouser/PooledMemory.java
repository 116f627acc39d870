package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.ForwardingMemory;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.memory.DeviceWindows;
import io.twostep.machine.linux.memory.ProcessMemory;
import io.twostep.machine.linux.memory.Ram;
import io.twostep.machine.linux.memory.RamOptions;
import io.twostep.machine.linux.memory.RamOptions.PageSize;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Memory in one file, which a server is given once and whole. Once the server is lost it hands out nothing: the server may still hold it. */
final class PooledMemory extends ForwardingMemory implements DeviceMemory {
  private final ProcessMemory memory;
  private final String device;
  private final Runnable requireAlive;
  private final FileRun run;

  private PooledMemory(ProcessMemory memory, String device, Runnable requireAlive) {
    super(memory);
    this.memory = memory;
    this.device = device;
    this.requireAlive = requireAlive;
    run = new FileRun(List.of(memory.ram().file()), 0, memory.segment(memory.ram().first(), memory.ram().length()));
  }

  /**
   * Map a file of {@code length} bytes.
   *
   * @param device names device and socket in messages
   * @param requireAlive throws once the server is lost
   * @throws SystemCallException if the kernel has no such memory
   */
  static PooledMemory open(Kernel kernel, String device, long length, Runnable requireAlive) {
    Ram ram;
    try {
      ram = Ram.map(kernel, new RamOptions(length, PageSize.SMALL, true, ""));
    } catch (SystemCallException e) {
      throw e.explained(device + ": memory of " + length + " bytes", "set a smaller 'memory'");
    }
    return new PooledMemory(new ProcessMemory(ram, new DeviceWindows()), device, requireAlive);
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
  public @Nullable FileRun fileAt(long phys) {
    return Long.compareUnsigned(phys - first(), length()) < 0 ? run : null;
  }

  @Override
  public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
    requireAlive.run();
    return memory.allocate(length, placement, highestPhys);
  }

  @Override
  public MemoryBlock allocateWithin(long length, MemoryPlacement placement, long lowestPhys, long highestPhys) {
    requireAlive.run();
    return memory.allocateWithin(length, placement, lowestPhys, highestPhys);
  }

  @Override
  public void close() {
    try {
      memory.close();
    } catch (SystemCallException e) {
      throw e.explained(device + ": " + e.subject(), "what is still mapped stays so until this process ends");
    }
  }
}
