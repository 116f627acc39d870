package io.twostep.machine.model.memory;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Keep the CPU's view and the view of devices that do not snoop apart, cache line by cache line.
 *
 * <p>The storage is what the CPU sees: its caches. For every frame that such a device or a cache operation touched there is a second copy, what memory
 * holds, and a third, what the CPU's line held when it was last in step; a line whose storage differs from the third copy is dirty. A clean writes dirty
 * lines back whole, also over bytes the device wrote meanwhile; an invalidation loses dirty lines, also a neighbour's: as on real machines, sharing a line
 * is damage. Frames of coherent blocks are one view. Thread-safe.
 */
public final class CacheView {
  /** The cache line, bytes. */
  public static final int LINE = 64;

  private static final int SHIFT = PhysicalLayout.FRAME_SHIFT;
  private static final int FRAME = PhysicalLayout.FRAME_SIZE;

  private final ModelMemory memory;
  private final FrameCopies frames = new FrameCopies();
  private @Nullable Rng evictions;
  private volatile boolean active;

  CacheView(ModelMemory memory) {
    this.memory = memory;
  }

  /** Write dirty lines back at moments drawn from {@code rng}, as real caches do when they need room. */
  public synchronized void evictAtRandom(Rng rng) {
    evictions = rng;
  }

  /** Start keeping views apart: a device that does not snoop was plugged in. */
  public void activate() {
    active = true;
  }

  /** Tell whether views are kept apart at all. */
  public boolean active() {
    return active;
  }

  /** Read as a device that does not snoop; inside one frame. */
  public synchronized void deviceRead(long phys, MemorySegment target, long offset, long length) {
    FrameCopies.Copies frame = frameFor(phys);
    if (frame == null) {
      MemorySegment.copy(memory.storage(), memory.offset(phys), target, offset, length);
    } else {
      MemorySegment.copy(frame.memory, phys & (FRAME - 1), target, offset, length);
    }
  }

  /** Write as a device that does not snoop; inside one frame. */
  public synchronized void deviceWrite(long phys, MemorySegment source, long offset, long length) {
    FrameCopies.Copies frame = frameFor(phys);
    if (frame == null) {
      MemorySegment.copy(source, offset, memory.storage(), memory.offset(phys), length);
    } else {
      MemorySegment.copy(source, offset, frame.memory, phys & (FRAME - 1), length);
      Rng rng = evictions;
      if (rng != null && rng.oneIn(2)) {
        evict(frame, phys & -FRAME, rng);
      }
    }
  }

  /** Write some dirty lines of a frame back; a device's fresh bytes in them are lost. */
  private void evict(FrameCopies.Copies frame, long phys, Rng rng) {
    for (long at = 0; at < FRAME; at += LINE) {
      if (rng.oneIn(2)) {
        clean(frame, at, memory.offset(phys + at));
      }
    }
  }

  /** Follow a write by a device that snoops, already in the storage; inside one frame. */
  public synchronized void snoopedWrite(long phys, long length) {
    FrameCopies.Copies frame = frameFor(phys);
    if (frame != null) {
      long at = phys & (FRAME - 1);
      long offset = memory.offset(phys);
      MemorySegment.copy(memory.storage(), offset, frame.memory, at, length);
      MemorySegment.copy(memory.storage(), offset, frame.clean, at, length);
    }
  }

  synchronized void clean(long phys, long length) {
    if (!active || length == 0) {
      return;
    }
    for (long line = phys & -LINE; line < phys + length; ) {
      FrameCopies.Copies frame = frameFor(line);
      long end = Math.min(phys + length, (line | FRAME - 1) + 1);
      for (; line < end; line += LINE) {
        if (frame != null) {
          clean(frame, line & (FRAME - 1), memory.offset(line));
        }
      }
    }
  }

  private void clean(FrameCopies.Copies frame, long at, long offset) {
    MemorySegment cpu = memory.storage();
    if (MemorySegment.mismatch(cpu, offset, offset + LINE, frame.clean, at, at + LINE) >= 0) {
      MemorySegment.copy(cpu, offset, frame.memory, at, LINE);
      MemorySegment.copy(cpu, offset, frame.clean, at, LINE);
    }
  }

  synchronized void invalidate(long phys, long length) {
    if (!active || length == 0) {
      return;
    }
    for (long line = phys & -LINE; line < phys + length; ) {
      FrameCopies.Copies frame = frameFor(line);
      long end = Math.min(phys + length, (line | FRAME - 1) + 1);
      for (; line < end; line += LINE) {
        if (frame != null) {
          long at = line & (FRAME - 1);
          MemorySegment.copy(frame.memory, at, memory.storage(), memory.offset(line), LINE);
          MemorySegment.copy(frame.memory, at, frame.clean, at, LINE);
        }
      }
    }
  }

  synchronized void forget(long pfn) {
    frames.remove(pfn);
  }

  /** Return the frame's copies, null if it has one view only. Memory starts as zeros, as it was handed out. */
  private FrameCopies.@Nullable Copies frameFor(long phys) {
    return memory.alwaysCoherent(phys) ? null : frames.of(phys >>> SHIFT);
  }
}
