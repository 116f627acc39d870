package io.twostep.machine.model.memory;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Frames that belong together: a run that is also the CPU's view, or scattered frames behind a run of view pages. */
final class Block implements MemoryBlock {
  private static final int SHIFT = PhysicalLayout.FRAME_SHIFT;
  private static final long OFFSET_MASK = PhysicalLayout.FRAME_SIZE - 1;

  private final ModelMemory memory;
  private final MemoryRegion region;
  private final MemoryPlacement placement;
  private final long length;
  private final int frames;
  private final int firstPfn;
  private final int @Nullable [] pfns;
  private final long storageOffset;
  private @Nullable MemorySegment segment;
  private @Nullable Arena arena;
  private boolean closed;

  /** Describe a run of frames ({@code pfns} null) or scattered frames, whose bytes start at {@code storageOffset}. */
  Block(ModelMemory memory, MemoryPlacement placement, String name, long length, int frames, int firstPfn, int @Nullable [] pfns, long storageOffset) {
    this.memory = memory;
    this.region = new MemoryRegion(MemoryKind.RAM, name, (long) firstPfn << SHIFT, pfns == null ? (long) frames << SHIFT : 0);
    this.placement = placement;
    this.length = length;
    this.frames = frames;
    this.firstPfn = firstPfn;
    this.pfns = pfns;
    this.storageOffset = storageOffset;
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
    MemorySegment view = segment;
    if (view == null) {
      arena = NativeAccess.enabled() ? Arena.ofShared() : null;
      view = memory.view(storageOffset, length, arena);
      segment = view;
    }
    return view;
  }

  @Override
  public PhysRanges ranges() {
    return new BlockRanges(this);
  }

  @Override
  public long phys(long offset) {
    if (offset < 0 || offset >= length) {
      throw outside(offset);
    }
    return (frame((int) (offset >>> SHIFT)) << SHIFT) | (offset & OFFSET_MASK);
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
            "%s (%d bytes at 0x%x) is still held %s; unmap what maps it, or complete the InvalidationBatch of the unmap"
                .formatted(region.name(), length, phys(0), times(region.pins())));
      }
      closeView();
      closed = true;
      segment = null;
    }
    memory.release(this);
  }

  /** End the CPU's view, if native code is not using it: then nothing is closed, and it can be tried again. */
  private void closeView() {
    Arena view = arena;
    if (view == null) {
      return;
    }
    try {
      memory.closeView(view);
    } catch (IllegalStateException e) {
      throw new IllegalStateException(
          "%s (%d bytes at 0x%x) is in use by a call of native code; close it once that has returned".formatted(region.name(), length, phys(0)), e);
    }
  }

  private static String times(long pins) {
    return pins == 1 ? "1 time" : pins + " times";
  }

  MemoryRegion region() {
    return region;
  }

  MemoryPlacement placement() {
    return placement;
  }

  int frames() {
    return frames;
  }

  boolean scattered() {
    return pfns != null;
  }

  /** Return page frame number {@code index} of the block. */
  long frame(int index) {
    return pfns == null ? firstPfn + (long) index : pfns[index];
  }

  /** Return where the block's bytes start in the storage. */
  long storageOffset() {
    return storageOffset;
  }

  /** Tell whether a range of the storage lies in the block's frames. */
  boolean holdsStorage(long offset, long bytes) {
    long from = offset - storageOffset;
    long size = (long) frames << SHIFT;
    return from >= 0 && from < size && bytes <= size - from;
  }

  /** Tell whether a physical range lies in the block, given that its first byte does. */
  boolean holdsPhys(long phys, long bytes) {
    if (pfns == null) {
      return bytes <= ((firstPfn + (long) frames) << SHIFT) - phys;
    }
    return bytes <= PhysicalLayout.FRAME_SIZE - (phys & OFFSET_MASK) || memory.allOwnedBy(this, phys, bytes);
  }

  @Override
  public String toString() {
    return region.name();
  }
}
