package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.memory.DeviceWindows;
import io.twostep.machine.linux.memory.ProcessMemory;
import io.twostep.machine.linux.memory.Ram;
import io.twostep.machine.linux.memory.RamOptions;
import io.twostep.machine.linux.memory.RamOptions.PageSize;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Memory in one file, which a server is given once and whole. Once the server is lost it hands out nothing: the server may still hold it. */
final class PooledMemory implements DeviceMemory {
  private final ProcessMemory memory;
  private final Runnable requireAlive;

  PooledMemory(Kernel kernel, long length, Runnable requireAlive) {
    memory = new ProcessMemory(Ram.map(kernel, new RamOptions(length, PageSize.SMALL, true, "")), new DeviceWindows());
    this.requireAlive = requireAlive;
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
  public long frameSize() {
    return memory.frameSize();
  }

  @Override
  public long highestAddress() {
    return memory.highestAddress();
  }

  @Override
  public MemoryRegion regionOf(long phys, long length) {
    return memory.regionOf(phys, length);
  }

  @Override
  public MemorySegment segment(long phys, long length) {
    return memory.segment(phys, length);
  }

  @Override
  public void read(long phys, MemorySegment target, long offset, long length) {
    memory.read(phys, target, offset, length);
  }

  @Override
  public void write(long phys, MemorySegment source, long offset, long length) {
    memory.write(phys, source, offset, length);
  }

  @Override
  public int ranges(MemorySegment segment, long offset, long[] phys, long[] length) {
    return memory.ranges(segment, offset, phys, length);
  }

  @Override
  public long cacheLine() {
    return memory.cacheLine();
  }

  @Override
  public void cleanCache(long phys, long length) {
    memory.cleanCache(phys, length);
  }

  @Override
  public void invalidateCache(long phys, long length) {
    memory.invalidateCache(phys, length);
  }

  @Override
  public AutoCloseable beforeReuse(Runnable flush) {
    return memory.beforeReuse(flush);
  }

  @Override
  public void close() {
    memory.close();
  }
}
