package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.machine.linux.vfiouser.DeviceMemory.FileRun;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** One run of whole frames in a {@link SharedFile}. */
final class FileBlock implements MemoryBlock {
  private final FileMemory memory;
  private final SharedFile file;
  private final long first;
  private final long frames;
  private final long length;
  private final MemoryRegion region;
  private final FileRun run;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment segment;
  private boolean closed;

  /**
   * Describe a run.
   *
   * @param first address of its first byte
   * @param frames bytes of its frames
   * @param length bytes that were asked for
   */
  @SuppressWarnings("restricted")
  FileBlock(FileMemory memory, SharedFile file, String name, long first, long frames, long length) {
    this.memory = memory;
    this.file = file;
    this.first = first;
    this.frames = frames;
    this.length = length;
    region = new MemoryRegion(MemoryKind.RAM, name, first, frames);
    run = new FileRun(List.of(file.descriptor()), first - file.address(), file.mapped().asSlice(first - file.address(), frames));
    segment = MemorySegment.ofAddress(first).reinterpret(length, arena, null);
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public synchronized MemorySegment segment() {
    if (closed) {
      throw new IllegalStateException(region.name() + " is closed");
    }
    return segment;
  }

  @Override
  public PhysRanges ranges() {
    return PhysRanges.of(first, length);
  }

  @Override
  public long phys(long offset) {
    if (offset < 0 || offset >= length) {
      throw outside(offset);
    }
    return first + offset;
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
            "%s (%d bytes at 0x%x) is still held, by %d; unmap what maps it, or complete the InvalidationBatch of the unmap"
                .formatted(region.name(), length, first, region.pins()));
      }
      end();
    }
    memory.release(this);
  }

  /** End the block whatever maps it, because the machine ends. Throws while a native call holds its segment, and can be repeated then. */
  synchronized void end() {
    if (!closed) {
      arena.close();
      closed = true;
    }
  }

  MemoryRegion region() {
    return region;
  }

  SharedFile file() {
    return file;
  }

  /** Return its frames as a run of its file. */
  FileRun run() {
    return run;
  }

  long first() {
    return first;
  }

  /** Return the bytes of its frames. */
  long frames() {
    return frames;
  }

  boolean holds(long phys, long bytes) {
    long offset = phys - first;
    return offset >= 0 && offset < frames && bytes > 0 && bytes <= frames - offset;
  }

  @Override
  public String toString() {
    return region.name();
  }
}
