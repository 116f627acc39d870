package io.twostep.dma.spi;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Passes every call on to a memory: the base of memories that refuse, count or describe what another one holds.
 *
 * <p>Allocation without a limit on addresses comes through {@link #allocate(long, MemoryPlacement, long)}, so that overriding one sees both; what lies within two bounds comes through {@link #allocateWithin}.
 */
public abstract class ForwardingMemory implements PhysicalMemory {
  /** The memory behind. */
  protected final PhysicalMemory real;

  /** Stand before {@code real}. */
  protected ForwardingMemory(PhysicalMemory real) {
    this.real = Objects.requireNonNull(real, "real");
  }

  @Override
  public long frameSize() {
    return real.frameSize();
  }

  @Override
  public long lowestAddress() {
    return real.lowestAddress();
  }

  @Override
  public long highestAddress() {
    return real.highestAddress();
  }

  @Override
  public MemoryRegion regionOf(long phys, long length) {
    return real.regionOf(phys, length);
  }

  @Override
  public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
    return real.allocate(length, placement, highestPhys);
  }

  @Override
  public MemoryBlock allocateWithin(long length, MemoryPlacement placement, long lowestPhys, long highestPhys) {
    return real.allocateWithin(length, placement, lowestPhys, highestPhys);
  }

  @Override
  public MemorySegment segment(long phys, long length) {
    return real.segment(phys, length);
  }

  @Override
  public void read(long phys, MemorySegment target, long offset, long length) {
    real.read(phys, target, offset, length);
  }

  @Override
  public void write(long phys, MemorySegment source, long offset, long length) {
    real.write(phys, source, offset, length);
  }

  @Override
  public int ranges(MemorySegment segment, long offset, long[] phys, long[] length) {
    return real.ranges(segment, offset, phys, length);
  }

  @Override
  public long cacheLine() {
    return real.cacheLine();
  }

  @Override
  public void cleanCache(long phys, long length) {
    real.cleanCache(phys, length);
  }

  @Override
  public void invalidateCache(long phys, long length) {
    real.invalidateCache(phys, length);
  }

  @Override
  public AutoCloseable beforeReuse(Runnable flush) {
    return real.beforeReuse(flush);
  }
}
