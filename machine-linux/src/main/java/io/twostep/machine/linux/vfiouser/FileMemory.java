package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Kernel;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Memory that can be shared with a server by descriptor. A physical address is the address in this process.
 *
 * <p>Each block is a file of its own: a server sees the blocks that were mapped for it and nothing else, and a page is never used for anything else again, whatever a
 * server keeps. Thread-safe; looking up takes no lock.
 */
final class FileMemory implements DeviceMemory {
  private static final long CACHE_LINE = 64;

  private final Kernel kernel;
  private final String device;
  private final Runnable requireAlive;
  private final long limit;
  private final long frame;
  private volatile BlockIndex index = BlockIndex.EMPTY;
  private long used;
  private long blocksMade;
  private boolean closed;

  /**
   * Create memory.
   *
   * @param device names device and socket in messages
   * @param limit bytes that live blocks may have in all
   * @param requireAlive throws once the server is lost: new memory would be of no use then
   */
  FileMemory(Kernel kernel, String device, long limit, Runnable requireAlive) {
    this.kernel = kernel;
    this.device = device;
    this.limit = limit;
    this.requireAlive = requireAlive;
    frame = kernel.pageSize();
  }

  @Override
  public long frameSize() {
    return frame;
  }

  /** Return the highest address that Linux gives a process. */
  @Override
  public long highestAddress() {
    return (1L << 56) - 1;
  }

  @Override
  public MemoryRegion regionOf(long phys, long length) {
    FileBlock block = index.at(phys);
    return block != null && block.holds(phys, length) ? block.region() : MemoryRegion.ABSENT;
  }

  @Override
  public @Nullable FileRun fileAt(long phys) {
    FileBlock block = index.at(phys);
    return block != null && block.holds(phys, 1) ? block.run() : null;
  }

  @Override
  public synchronized MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
    if (length <= 0) {
      throw new IllegalArgumentException("cannot allocate " + length + " bytes: the length must be positive");
    }
    if (closed) {
      throw new IllegalStateException("the machine is closed");
    }
    requireAlive.run();
    long frames = length > limit ? length : (length + frame - 1) & -frame;
    if (frames > limit - used) {
      throw noMemory(length, highestPhys, null);
    }
    long alignment = placement == MemoryPlacement.SCATTERED ? frame : Long.highestOneBit(2 * frames - 1);
    FileBlock block = block(length, frames, alignment, highestPhys);
    used += frames;
    index = index.with(block);
    return block;
  }

  /** A file has room to align the block in it; what is not touched takes no memory. */
  private FileBlock block(long length, long frames, long alignment, long highestPhys) {
    blocksMade++;
    SharedFile file;
    try {
      file = new SharedFile(kernel, device + " " + name(), frames + alignment - frame);
    } catch (SystemCallException e) {
      throw noMemory(length, highestPhys, e);
    }
    long first = file.address() + alignment - 1 & -alignment;
    if (Long.compareUnsigned(first + (frames - 1), highestPhys) > 0) {
      throw Closing.after(noMemory(length, highestPhys, null), file::close);
    }
    return new FileBlock(this, file, name(), first, frames, length);
  }

  private String name() {
    return "block " + blocksMade;
  }

  private DmaMappingException noMemory(long length, long highestPhys, @Nullable SystemCallException cause) {
    String text =
        "%s: no memory for %d bytes up to 0x%x: %d of %d bytes are free".formatted(device, length, highestPhys, limit - used, limit);
    return cause == null
        ? new DmaMappingException(Reason.NOT_BACKED, text + "; close blocks or set a larger 'memory'")
        : new DmaMappingException(Reason.NOT_BACKED, text + ", but " + cause.getMessage(), cause);
  }

  /** Take a closed block back. */
  synchronized void release(FileBlock block) {
    if (closed) {
      return;
    }
    index = index.without(block);
    used -= block.frames();
    block.file().close();
  }

  @Override
  public MemorySegment segment(long phys, long length) {
    SharedFile file = fileOf(phys, length);
    return file.mapped().asSlice(phys - file.address(), length);
  }

  private SharedFile fileOf(long phys, long length) {
    FileBlock block = index.at(phys);
    if (block == null || !block.holds(phys, length)) {
      throw new IllegalArgumentException("0x%x+0x%x is not in one block".formatted(phys, length));
    }
    return block.file();
  }

  @Override
  public void read(long phys, MemorySegment target, long offset, long length) {
    if (length > 0) {
      SharedFile file = fileOf(phys, length);
      MemorySegment.copy(file.mapped(), phys - file.address(), target, offset, length);
    }
  }

  @Override
  public void write(long phys, MemorySegment source, long offset, long length) {
    if (length > 0) {
      SharedFile file = fileOf(phys, length);
      MemorySegment.copy(source, offset, file.mapped(), phys - file.address(), length);
    }
  }

  @Override
  public int ranges(MemorySegment segment, long offset, long[] phys, long[] length) {
    if (offset == segment.byteSize()) {
      return 0;
    }
    if (!segment.isNative() || !segment.scope().isAlive() || regionOf(segment.address(), segment.byteSize()) == MemoryRegion.ABSENT) {
      return -1;
    }
    phys[0] = segment.address() + offset;
    length[0] = segment.byteSize() - offset;
    return 1;
  }

  @Override
  public long cacheLine() {
    return CACHE_LINE;
  }

  /** Do nothing: a server sees the CPU's caches. */
  @Override
  public void cleanCache(long phys, long length) {}

  /** Do nothing: a server sees the CPU's caches. */
  @Override
  public void invalidateCache(long phys, long length) {}

  /** Do nothing: frames are never reused. */
  @Override
  public AutoCloseable beforeReuse(Runnable flush) {
    return () -> {};
  }

  /** Return the bytes of blocks that are not closed. */
  synchronized long used() {
    return used;
  }

  /**
   * Give everything back, blocks that are still held included: with the device gone nobody takes mappings down, and a page that a server keeps
   * is the server's own from here on.
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    List<FileBlock> left = new ArrayList<>(index.blocks());
    index = BlockIndex.EMPTY;
    new Closing().thenEach(left, FileMemory::end).end();
  }

  /** A block that a native call holds cannot be unmapped under it: then its end throws, and it stays. */
  private static void end(FileBlock block) {
    block.end();
    block.file().close();
  }
}
