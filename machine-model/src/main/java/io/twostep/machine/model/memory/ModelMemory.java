package io.twostep.machine.model.memory;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HexFormat;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * RAM and BARs by physical address. Thread-safe; one lock for allocation, none for looking up.
 *
 * <p>Once closed it hands out nothing. Its bytes go at once, or, if a mapping still holds a block, with the last block, so that what is mapped can be taken down.
 */
public final class ModelMemory implements PhysicalMemory {
  private static final int SHIFT = PhysicalLayout.FRAME_SHIFT;
  private static final long FRAME = PhysicalLayout.FRAME_SIZE;
  private static final long MOST_PARKED_FRAMES = 1 << 14;

  /** How often an allocation looks again for frames that flushes returned and others took first. */
  private static final int FLUSH_ATTEMPTS = 100;

  private final PhysicalLayout layout;
  private final Storage storage;
  private final MemorySegment all;
  private final long base;
  private final FrameTable table;
  private final BlockAllocator blocks;
  private final SegmentRanges ranges;
  private final BlockViews views;
  private final Parking parking = new Parking();
  private final MmioMap mmio;
  private final CacheView cache;
  private final BooleanSupplier failAllocation;

  /** Blocks handed out and not closed. */
  private final Set<Block> open = Collections.newSetFromMap(new IdentityHashMap<>());

  private volatile boolean closed;
  private long framesInUse;

  /**
   * Create RAM.
   *
   * @param directory where the sparse file is made and at once deleted
   * @param failAllocation asked before every allocation whether it has to fail
   */
  public ModelMemory(PhysicalLayout layout, Path directory, Rng rng, MmioMap mmio, BooleanSupplier failAllocation) {
    this.layout = layout;
    this.mmio = mmio;
    this.failAllocation = failAllocation;
    storage = new Storage(layout, directory);
    all = storage.all();
    base = layout.base();
    table = new FrameTable(all.byteSize() >>> SHIFT);
    cache = new CacheView(this);
    blocks = new BlockAllocator(this, layout, storage, table, cache, rng);
    ranges = new SegmentRanges(all, base, storage.viewStart(), table, mmio);
    views = new BlockViews(storage);
  }

  @Override
  public long frameSize() {
    return FRAME;
  }

  @Override
  public long lowestAddress() {
    return base;
  }

  @Override
  public long highestAddress() {
    return layout.top() - 1;
  }

  @Override
  public MemoryRegion regionOf(long phys, long length) {
    if (!layout.holds(phys)) {
      return mmio.regionOf(phys, length);
    }
    Block block = table.owner((phys - base) >>> SHIFT);
    return block != null && length > 0 && block.holdsPhys(phys, length) ? block.region() : MemoryRegion.ABSENT;
  }

  @Override
  public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
    return allocate(length, placement, 0, highestPhys);
  }

  @Override
  public MemoryBlock allocateWithin(long length, MemoryPlacement placement, long lowestPhys, long highestPhys) {
    if (placement == MemoryPlacement.SCATTERED) {
      throw new IllegalArgumentException("scattered frames cannot be had within bounds");
    }
    return allocate(length, placement, lowestPhys, highestPhys);
  }

  private MemoryBlock allocate(long length, MemoryPlacement placement, long lowestPhys, long highestPhys) {
    if (length <= 0) {
      throw new IllegalArgumentException("cannot allocate " + length + " bytes: the length must be positive");
    }
    requireOpen();
    if (failAllocation.getAsBoolean()) {
      throw new DmaMappingException(Reason.NOT_BACKED, "allocation of " + length + " bytes failed by order of FailNth");
    }
    if (length > layout.frames() << SHIFT) {
      throw notBacked(length, placement, lowestPhys, highestPhys, null);
    }
    for (int attempt = 0; ; attempt++) {
      long before = parkedReturns();
      Block block = tryAllocate(length, placement, lowestPhys, highestPhys);
      if (block != null) {
        return block;
      }
      RuntimeException failure = null;
      try {
        if (attempt < FLUSH_ATTEMPTS && parking.flush(this, before)) {
          continue;
        }
      } catch (RuntimeException e) {
        failure = e;
      }
      throw notBacked(length, placement, lowestPhys, highestPhys, failure);
    }
  }

  private DmaMappingException notBacked(long length, MemoryPlacement placement, long lowestPhys, long highestPhys, @Nullable RuntimeException failure) {
    DmaMappingException refused =
        new DmaMappingException(
            Reason.NOT_BACKED,
            "no "
                + placement.name().toLowerCase(Locale.ROOT)
                + " frames for "
                + length
                + " bytes "
                + (lowestPhys == 0 ? "" : "from 0x" + HexFormat.of().toHexDigits(lowestPhys) + " ")
                + "up to 0x"
                + HexFormat.of().toHexDigits(highestPhys)
                + ": "
                + freeFrames()
                + " of "
                + layout.frames()
                + " frames of 4 KiB are free"
                + (failure == null ? "" : ", and " + parkedFrames() + " wait for a flush, which failed")
                + "; close blocks or set a larger 'memory'");
    refused.initCause(failure);
    return refused;
  }

  private synchronized @Nullable Block tryAllocate(long length, MemoryPlacement placement, long lowestPhys, long highestPhys) {
    requireOpen();
    Block block = blocks.tryMake(length, placement, lowestPhys, highestPhys);
    if (block != null) {
      framesInUse += block.frames();
      open.add(block);
    }
    return block;
  }

  /** Take a closed block back: nothing finds it any more; its frames wait for flushes if there are any. */
  void release(Block block) {
    boolean crowded;
    boolean lastOfAll;
    synchronized (this) {
      open.remove(block);
      lastOfAll = closed && open.isEmpty();
      blocks.forget(block);
      framesInUse -= block.frames();
      if (!parking.park(block)) {
        blocks.free(block);
      }
      crowded = parking.frames() > MOST_PARKED_FRAMES;
    }
    if (lastOfAll) {
      views.end();
    } else if (crowded) {
      flushEarly();
    }
  }

  private void flushEarly() {
    try {
      parking.flush(this, 0);
    } catch (RuntimeException e) {
      // Nothing of the block that was closed failed: the frames wait on, and who needs them hears of it.
    }
  }

  synchronized List<Block> takeParked() {
    return parking.take();
  }

  synchronized void parkAgain(List<Block> taken) {
    parking.putBack(taken);
  }

  synchronized void reuse(List<Block> covered) {
    parking.leave(covered);
    covered.forEach(blocks::free);
  }

  synchronized long parkedReturns() {
    return parking.returns();
  }

  @Override
  public MemorySegment segment(long phys, long length) {
    requireOpen();
    MemorySegment bar = mmio.memory(phys, length);
    if (bar != null) {
      return bar;
    }
    requireRam(phys, length);
    long offset = writable(phys);
    for (long at = FRAME - (phys & (FRAME - 1)); at < length; at += FRAME) {
      if (writable(phys + at) != offset + at) {
        throw new IllegalArgumentException(range(phys, length) + " is not contiguous for the CPU: it is scattered; use read and write");
      }
    }
    return all.asSlice(offset, length);
  }

  @Override
  public void read(long phys, MemorySegment target, long offset, long length) {
    copy(phys, target, offset, length, true);
  }

  @Override
  public void write(long phys, MemorySegment source, long offset, long length) {
    copy(phys, source, offset, length, false);
  }

  private void copy(long phys, MemorySegment other, long offset, long length, boolean read) {
    if (views.isEnded()) {
      requireOpen();
    }
    Objects.checkFromIndexSize(offset, length, other.byteSize());
    MemorySegment bar = mmio.memory(phys, length);
    if (bar != null) {
      MemorySegment.copy(read ? bar : other, read ? 0 : offset, read ? other : bar, read ? offset : 0, length);
      return;
    }
    requireRam(phys, length);
    long done = 0;
    while (done < length) {
      long at = phys + done;
      long piece = Math.min(length - done, FRAME - (at & (FRAME - 1)));
      if (read) {
        MemorySegment.copy(all, offset(at), other, offset + done, piece);
      } else {
        MemorySegment.copy(other, offset + done, all, writable(at), piece);
      }
      done += piece;
    }
  }

  @Override
  public int ranges(MemorySegment segment, long offset, long[] phys, long[] length) {
    return ranges.fill(segment, offset, phys, length);
  }

  @Override
  public long cacheLine() {
    return CacheView.LINE;
  }

  @Override
  public void cleanCache(long phys, long length) {
    requireRam(phys, length);
    cache.clean(phys, length);
  }

  @Override
  public void invalidateCache(long phys, long length) {
    requireRam(phys, length);
    cache.invalidate(phys, length);
  }

  @Override
  public AutoCloseable beforeReuse(Runnable flush) {
    return parking.register(flush);
  }

  /** Return the whole storage; offsets come from {@link #offsetOf}. */
  public MemorySegment storage() {
    return all;
  }

  /** Return the CPU's flat view of RAM, in which adjacent frames are adjacent; first byte is {@link PhysicalLayout#base}. */
  public MemorySegment flatView() {
    return all.asSlice(0, storage.viewStart());
  }

  /** Return the layout. */
  public PhysicalLayout layout() {
    return layout;
  }

  /** Return what devices that do not snoop see. */
  public CacheView cache() {
    return cache;
  }

  /** Return where the byte at {@code phys} is stored, or -1 if it is not RAM. */
  public long offsetOf(long phys) {
    return layout.holds(phys) ? offset(phys) : -1;
  }

  /**
   * Return where the byte at {@code phys}, which is RAM, is stored for a device: an offset of {@link #storage}, or its complement, which is negative, if no block
   * owns the frame.
   */
  public long locate(long phys) {
    long own = phys - base;
    long page = table.locate(own >>> SHIFT);
    long inFrame = own & (FRAME - 1);
    return page >= 0 ? (page << SHIFT) | inFrame : ~((~page << SHIFT) | inFrame);
  }

  /** Return where the byte at {@code phys}, which is RAM, is stored, for somebody who may write there whoever owns the frame. */
  private long writable(long phys) {
    long stored = locate(phys);
    if (stored >= 0) {
      return stored;
    }
    strayWrite(phys);
    return ~stored;
  }

  /** Note that somebody wrote to a frame that nobody owns, so that its next owner finds zeros. */
  public synchronized void strayWrite(long phys) {
    storage.touch(offset(phys) >>> SHIFT);
  }

  /** Tell whether the frame of {@code phys} is never cached for devices that do not snoop. */
  boolean alwaysCoherent(long phys) {
    Block block = table.owner((phys - base) >>> SHIFT);
    return block != null && block.placement() == MemoryPlacement.COHERENT;
  }

  boolean allOwnedBy(Block block, long phys, long length) {
    long last = phys + length - 1;
    if (Long.compareUnsigned(last, phys) < 0 || !layout.holds(last)) {
      return false;
    }
    for (long page = (phys - base) >>> SHIFT; page <= (last - base) >>> SHIFT; page++) {
      if (table.owner(page) != block) {
        return false;
      }
    }
    return true;
  }

  /** Return a slice of the storage, with a lifetime of its own if {@code arena} is there. */
  MemorySegment view(long offset, long length, @Nullable Arena arena) {
    requireOpen();
    return views.make(offset, length, arena);
  }

  void closeView(Arena arena) {
    views.close(arena);
  }

  long offset(long phys) {
    long own = phys - base;
    int page = table.storagePage(own >>> SHIFT);
    return page == 0 ? own : ((long) page << SHIFT) | (phys & (FRAME - 1));
  }

  /** Return the frames free to be handed out. */
  public synchronized long freeFrames() {
    return blocks.freeFrames();
  }

  /** Return the frames that wait for flushes. */
  public synchronized long parkedFrames() {
    return parking.frames();
  }

  /** Return the frames of open blocks. */
  public synchronized long framesInUse() {
    return framesInUse;
  }

  /** Return the number of free runs once single frames are joined: a measure of fragmentation. */
  public synchronized int fragments() {
    return blocks.fragments();
  }

  /** Return the open blocks that a mapping holds. */
  public synchronized int blocksMapped() {
    int mapped = 0;
    for (Block block : open) {
      mapped += block.region().pins() > 0 ? 1 : 0;
    }
    return mapped;
  }

  /** Tell whether {@link #close} was called. */
  public boolean isClosed() {
    return closed;
  }

  /** Hand out nothing more, let nothing be held that no mapping holds, and end all segments: now, or with the last block if a mapping holds one. May be repeated. */
  public void close() {
    boolean held = false;
    synchronized (this) {
      closed = true;
      for (Block block : open) {
        // Or a mapping could begin to hold it now, and would find nothing below it.
        held |= !block.region().tryRetire();
      }
    }
    if (!held) {
      views.end();
    }
  }

  /** Refuse to work for a machine that is closed. */
  public void requireOpen() {
    if (closed) {
      throw new IllegalStateException("machine model is closed");
    }
  }

  private void requireRam(long phys, long length) {
    if (length < 0 || !layout.holds(phys) || (length > 0 && (!layout.holds(phys + length - 1) || spansHole(phys, length)))) {
      throw new IllegalArgumentException(range(phys, length) + " is not RAM");
    }
  }

  private boolean spansHole(long phys, long length) {
    return phys < PhysicalLayout.FOUR_GIB && phys + length - 1 >= PhysicalLayout.FOUR_GIB;
  }

  private static String range(long phys, long length) {
    return "0x" + HexFormat.of().toHexDigits(phys) + "+0x" + Long.toHexString(length);
  }
}
