package io.twostep.machine.linux.memory;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Whole frames of the memory, side by side. */
final class ProcessBlock implements MemoryBlock {
  private final ProcessMemory memory;
  private final MemoryRegion region;
  private final long phys;
  private final long length;
  private final long frames;
  private @Nullable MemorySegment segment;
  private @Nullable Arena arena;
  private boolean closed;

  /** Its segment is gone, and no other one is made: the memory may be unmapped. */
  private boolean ended;

  ProcessBlock(ProcessMemory memory, String name, long phys, long length, long frames) {
    this.memory = memory;
    this.phys = phys;
    this.length = length;
    this.frames = frames;
    region = new MemoryRegion(MemoryKind.RAM, name, phys, frames * memory.frameSize());
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public synchronized MemorySegment segment() {
    if (ended) {
      throw new IllegalStateException(region.name() + " is closed, or its machine is");
    }
    MemorySegment view = segment;
    if (view == null) {
      arena = Arena.ofShared();
      view = memory.view(phys, length, arena);
      segment = view;
    }
    return view;
  }

  @Override
  public PhysRanges ranges() {
    return PhysRanges.of(phys, length);
  }

  @Override
  public long phys(long offset) {
    if (offset < 0 || offset >= length) {
      throw outside(offset);
    }
    return phys + offset;
  }

  private IndexOutOfBoundsException outside(long offset) {
    return new IndexOutOfBoundsException("%s: offset 0x%x lies outside its 0x%x bytes".formatted(region.name(), offset, length));
  }

  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      if (!region.tryRetire()) {
        throw new IllegalStateException(
            "%s (%d bytes at 0x%x) is still held %d times; unmap what maps it, or complete the InvalidationBatch of the unmap"
                .formatted(region.name(), length, phys, region.pins()));
      }
      endView();
      closed = true;
    }
    memory.release(this);
  }

  /** End the life of the segment, made or not, so that nobody reads what is no longer the block's. Throws while a native call holds it, and can be repeated then. */
  synchronized void endView() {
    ended = true;
    Arena lifetime = arena;
    if (lifetime != null) {
      lifetime.close();
      arena = null;
    }
  }

  MemoryRegion region() {
    return region;
  }

  long first() {
    return phys;
  }

  long frames() {
    return frames;
  }

  @Override
  public String toString() {
    return region.name();
  }
}
