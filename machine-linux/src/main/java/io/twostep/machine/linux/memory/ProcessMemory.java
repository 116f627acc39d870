package io.twostep.machine.linux.memory;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The memory that this machine hands out: one stretch of the process, and the BARs beside it. Thread-safe; one lock for allocation, none for looking up.
 *
 * <p>Every placement is one run of frames, since what a process sees is contiguous. Devices here see CPU caches, so there is nothing to clean.
 */
public final class ProcessMemory implements PhysicalMemory, AutoCloseable {
  private static final long FRAME = 4096;
  private static final int SHIFT = 12;
  private static final long CACHE_LINE = 64;

  private final Ram ram;
  private final DeviceWindows windows;
  private final FreeRuns free;
  private final @Nullable ProcessBlock[] owners;
  private final List<Runnable> flushes = new CopyOnWriteArrayList<>();
  private final Set<ProcessBlock> open = Collections.newSetFromMap(new IdentityHashMap<>());

  /** Frames from here on were never handed out, and are zero as the kernel made them. */
  private long neverUsed;

  private long blocksMade;
  private volatile boolean closed;
  private boolean unmapped;

  /** Hand out {@code ram}, which this closes. */
  public ProcessMemory(Ram ram, DeviceWindows windows) {
    if (ram.length() >>> SHIFT > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException("memory of " + ram.length() + " bytes is more than 8 TiB; ask for less");
    }
    this.ram = ram;
    this.windows = windows;
    free = new FreeRuns(ram.length() >>> SHIFT);
    owners = new @Nullable ProcessBlock[(int) (ram.length() >>> SHIFT)];
  }

  /** Return what the memory is made of, for who maps all of it. */
  public Ram ram() {
    return ram;
  }

  /** Return the mapped BARs. */
  public DeviceWindows windows() {
    return windows;
  }

  @Override
  public long frameSize() {
    return FRAME;
  }

  @Override
  public long highestAddress() {
    return ram.first() + (ram.length() - 1);
  }

  @Override
  public MemoryRegion regionOf(long phys, long length) {
    long offset = phys - ram.first();
    if (Long.compareUnsigned(offset, ram.length()) >= 0) {
      return windows.regionOf(phys, length);
    }
    ProcessBlock block = owners[(int) (offset >>> SHIFT)];
    return block != null && length > 0 && block.region().spans(phys, length) ? block.region() : MemoryRegion.ABSENT;
  }

  @Override
  public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
    if (length <= 0) {
      throw new IllegalArgumentException("cannot allocate " + length + " bytes: the length must be positive");
    }
    ProcessBlock block = length <= ram.length() ? tryAllocate(length, placement, highestPhys) : null;
    if (block == null) {
      throw new DmaMappingException(
          Reason.NOT_BACKED,
          "no room for %d bytes at a multiple of 0x%x up to 0x%x: %d of %d frames of 4 KiB at 0x%x are free; close blocks or set a larger 'memory'"
              .formatted(length, alignment(frames(length), placement) << SHIFT, highestPhys, freeFrames(), ram.length() >>> SHIFT, ram.first()));
    }
    return block;
  }

  private synchronized long freeFrames() {
    return free.free();
  }

  private synchronized @Nullable ProcessBlock tryAllocate(long length, MemoryPlacement placement, long highestPhys) {
    requireOpen();
    long frames = frames(length);
    long first = free.allocate(frames, alignment(frames, placement), ram.first() >>> SHIFT, highestFrame(highestPhys));
    if (first == FreeRuns.NONE) {
      return null;
    }
    zero(first, frames);
    ProcessBlock block = new ProcessBlock(this, "block " + ++blocksMade, ram.first() + (first << SHIFT), length, frames);
    for (long i = first; i < first + frames; i++) {
      owners[(int) i] = block;
    }
    open.add(block);
    return block;
  }

  private static long frames(long length) {
    return (length + FRAME - 1) >>> SHIFT;
  }

  /** Return on a multiple of how many frames a block begins. */
  private static long alignment(long frames, MemoryPlacement placement) {
    return placement == MemoryPlacement.SCATTERED ? 1 : Long.highestOneBit(Math.max(1, 2 * frames - 1));
  }

  /** Return the highest frame of the stretch that ends at or below an address; below 0 if there is none. */
  private long highestFrame(long highestPhys) {
    if (Long.compareUnsigned(highestPhys, highestAddress()) >= 0) {
      return Long.MAX_VALUE;
    }
    return Long.compareUnsigned(highestPhys, ram.first()) < 0 ? -1 : ((highestPhys + 1 - ram.first()) >>> SHIFT) - 1;
  }

  private void zero(long first, long frames) {
    long used = Math.min(first + frames, neverUsed) - first;
    if (used > 0) {
      ram.all().asSlice(first << SHIFT, used << SHIFT).fill((byte) 0);
    }
    neverUsed = Math.max(neverUsed, first + frames);
  }

  /** Take a closed block back. What defers invalidation is flushed first, without a lock. */
  void release(ProcessBlock block) {
    flushes.forEach(Runnable::run);
    boolean last;
    synchronized (this) {
      long first = (block.first() - ram.first()) >>> SHIFT;
      for (long i = first; i < first + block.frames(); i++) {
        owners[(int) i] = null;
      }
      free.free(first, block.frames());
      open.remove(block);
      last = closed && open.isEmpty();
    }
    if (last) {
      unmap();
    }
  }

  @SuppressWarnings("restricted")
  MemorySegment view(long phys, long length, Arena arena) {
    return ram.all().asSlice(phys - ram.first(), length).reinterpret(arena, null);
  }

  @Override
  public MemorySegment segment(long phys, long length) {
    MemorySegment bar = windows.segment(phys, length);
    return bar != null ? bar : ram.all().asSlice(offset(phys, length), length);
  }

  /** Return where in the stretch a range lies. */
  private long offset(long phys, long length) {
    long offset = phys - ram.first();
    if (length < 0 || Long.compareUnsigned(offset, ram.length()) >= 0 || length > ram.length() - offset) {
      throw new IllegalArgumentException("0x%x+0x%x is not memory of this machine".formatted(phys, length));
    }
    requireOpen();
    return offset;
  }

  @Override
  public void read(long phys, MemorySegment target, long offset, long length) {
    MemorySegment bar = windows.segment(phys, length);
    if (bar != null) {
      MemorySegment.copy(bar, 0, target, offset, length);
    } else {
      MemorySegment.copy(ram.all(), offset(phys, length), target, offset, length);
    }
  }

  @Override
  public void write(long phys, MemorySegment source, long offset, long length) {
    MemorySegment bar = windows.segment(phys, length);
    if (bar != null) {
      MemorySegment.copy(source, offset, bar, 0, length);
    } else {
      MemorySegment.copy(source, offset, ram.all(), offset(phys, length), length);
    }
  }

  @Override
  public int ranges(MemorySegment segment, long offset, long[] phys, long[] length) {
    Objects.checkIndex(offset, segment.byteSize() + 1);
    if (!segment.isNative() || !segment.scope().isAlive()) {
      return -1;
    }
    long left = segment.byteSize() - offset;
    long first = segment.address() + offset;
    if (left == 0) {
      return regionOf(segment.address(), 1) == MemoryRegion.ABSENT ? -1 : 0;
    }
    if (phys.length == 0 || regionOf(segment.address(), segment.byteSize()) == MemoryRegion.ABSENT) {
      return -1;
    }
    phys[0] = first;
    length[0] = left;
    return 1;
  }

  @Override
  public long cacheLine() {
    return CACHE_LINE;
  }

  /** Do nothing: devices see the caches. */
  @Override
  public void cleanCache(long phys, long length) {}

  /** Do nothing: devices see the caches. */
  @Override
  public void invalidateCache(long phys, long length) {}

  @Override
  public AutoCloseable beforeReuse(Runnable flush) {
    flushes.add(flush);
    return () -> flushes.remove(flush);
  }

  /** Return how many blocks are open. */
  public synchronized int openBlocks() {
    return open.size();
  }

  /** Hand out nothing more, and unmap the memory: at once, or, while a mapping holds a block, when the last block is closed. */
  @Override
  public void close() {
    boolean held;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      held = open.stream().anyMatch(block -> block.region().pins() > 0);
      if (!held) {
        List.copyOf(open).forEach(ProcessBlock::endView);
      }
    }
    if (!held) {
      unmap();
    }
  }

  /** Hand out nothing more, and leave the memory mapped for good: a device may still write to it. */
  public synchronized void quarantine() {
    closed = true;
    unmapped = true;
  }

  private void unmap() {
    synchronized (this) {
      if (unmapped) {
        return;
      }
      unmapped = true;
    }
    ram.close();
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the machine's memory is closed");
    }
  }
}
