package io.twostep.backend.swiotlb;

import io.twostep.backend.swiotlb.pool.SlotPool;
import io.twostep.backend.swiotlb.pool.SlotRules;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * One device's use of slots: takes and returns them within its quota, fills and copies them, and knows what may be copied in.
 *
 * <p>A source is a physical address, or the number of a staged segment. Thread-safe; allocates nothing for physical sources.
 */
final class DeviceSlots {
  /** In the place of a number of ranges: bytes without a physical address, a heap array or a foreign segment. */
  static final int SEGMENT = 0;

  private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[1 << 16]).asReadOnly();

  private final SpacePool shared;
  private final SlotPool pool;
  private final Counters counters;
  private final SlotRules rules;
  private final PhysicalMemory memory;
  private final Refusals refusals;
  private final StagedSegments segments = new StagedSegments();
  private final Consumer<SpacePool> detached;
  private final long quota;
  private final AtomicLong held = new AtomicLong();
  private final long mostBytes;
  private final boolean untrusted;
  private final boolean writersRead;
  private final int slotFlags;

  /**
   * Makes the slots of a device.
   *
   * @param detached told when the device is closed
   */
  DeviceSlots(
      AttachContext context, SpacePool shared, SlotRules rules, long quota, boolean enforcesWriteOnly, Consumer<SpacePool> detached) {
    this.shared = shared;
    this.rules = rules;
    this.quota = quota;
    this.detached = detached;
    pool = shared.pool;
    counters = shared.counters;
    memory = context.machine().memory();
    refusals = new Refusals(context.device());
    untrusted = context.untrusted();
    writersRead = untrusted && !enforcesWriteOnly;
    slotFlags = MapFlags.OWNED | MapFlags.STRICT | (context.slot().coherent() ? 0 : MapFlags.COHERENT_MEMORY);
    if (rules.leastArea() > pool.areaBytes() || rules.mostBytes(pool.areaBytes()) <= 0) {
      throw refusals.bitsBeyondArea(rules.leastArea(), pool.areaBytes());
    }
    mostBytes = quota == 0 ? rules.mostBytes(pool.areaBytes()) : Math.min(rules.mostBytes(pool.areaBytes()), rules.mostBytesOf(quota));
    if (mostBytes <= 0) {
      throw refusals.quotaBelowOne(quota);
    }
  }

  Refusals refusals() {
    return refusals;
  }

  /** Returns the most bytes of one buffer that an empty pool holds for every address. */
  long mostBytes() {
    return mostBytes;
  }

  /** Returns the flags that mapping slots in the place of memory takes. */
  int slotFlags(int flags) {
    return flags | slotFlags;
  }

  /** Tells whether a device that only writes could read what it is given, so that it must be shown zeros. */
  boolean mustShowZeros(int flags) {
    return writersRead && (flags & MapFlags.DEVICE_READS) == 0;
  }

  /** Refuses a bounce that the caller forbade; see {@link #take} for {@code ranges}. */
  void requireAllowed(long phys, long length, int ranges, int flags) {
    if ((flags & DmaAttributes.REQUIRE_COHERENT) != 0) {
      counters.forbidden.increment();
      throw refusals.forbidden(phys, length, ranges);
    }
  }

  /**
   * Takes slots for a buffer whose address keeps the low bits of {@code low}, and returns its position.
   *
   * @param low the address of the first of the ranges that the buffer stands for
   * @param ranges how many they are, or {@link #SEGMENT}; for messages
   */
  long take(long length, long low, int ranges) {
    boolean limited = quota != 0 && length <= pool.areaBytes();
    if (limited) {
      charge(length, low, ranges);
    }
    long at = SlotPool.NO_MEMORY;
    try {
      at = pool.allocate(rules, length, low);
    } finally {
      // Also where the machine's memory throws.
      if (at < 0 && limited) {
        held.addAndGet(-rules.bytes(length, low));
      }
    }
    if (at < 0) {
      throw refused(at, length, low, ranges);
    }
    return at;
  }

  private void charge(long length, long low, int ranges) {
    long bytes = rules.bytes(length, low);
    if (bytes > quota) {
      throw refused(SlotPool.TOO_LARGE, length, low, ranges);
    }
    // Never charged and taken back: meanwhile a request that the quota has room for would be refused.
    long now;
    do {
      now = held.get();
      if (now > quota - bytes) {
        counters.quota.increment();
        throw refusals.quota(low, length, ranges, quota);
      }
    } while (!held.compareAndSet(now, now + bytes));
  }

  private RuntimeException refused(long why, long length, long low, int ranges) {
    if (why == SlotPool.TOO_LARGE) {
      counters.tooLarge.increment();
      return refusals.tooLarge(low, length, ranges, mostBytes);
    }
    if (why == SlotPool.NO_MEMORY) {
      counters.noMemory.increment();
      return shared.reach.hasMemory(memory)
          ? refusals.noMemory(low, length, ranges, pool.areaBytes(), shared.reach)
          : refusals.tooFar(low, length, ranges, shared.reach);
    }
    counters.exhausted.increment();
    return refusals.exhausted(low, length, ranges, mostBytes);
  }

  /** Returns the slots of a buffer that no translation can reach any more. */
  void giveBack(long at) {
    long bytes = pool.free(rules, at);
    if (quota != 0) {
      held.addAndGet(-bytes);
    }
  }

  long phys(long at) {
    return pool.phys(at);
  }

  int keep(MemorySegment segment) {
    return segments.keep(segment);
  }

  void drop(long segment) {
    segments.drop(segment);
  }

  /**
   * Makes sure that nobody finds what others left in the slots: zeros in the buffer unless it is copied in, since the device may leave bytes of it unwritten; and for an untrusted device around it, where it may look.
   */
  void scrub(long at, long length, boolean copiedIn) {
    if (!untrusted) {
      if (!copiedIn) {
        zero(at, length);
      }
      return;
    }
    long start = rules.start(at);
    long end = start + rules.bytes(length, at);
    if (copiedIn) {
      zero(start, at - start);
      zero(at + length, end - at - length);
    } else {
      zero(start, end - start);
    }
  }

  private void zero(long at, long length) {
    MemorySegment view = pool.view(at);
    long done = 0;
    while (done < length) {
      long piece = Math.min(length - done, ZEROS.byteSize());
      MemorySegment.copy(ZEROS, 0, view, SlotPool.offset(at) + done, piece);
      done += piece;
    }
  }

  boolean untrusted() {
    return untrusted;
  }

  /** Hands a part of a buffer over to the device: copies it in, unless the device writes it all or must not see it. */
  void handOver(long at, long source, int flags, long from, long length) {
    if (mustShowZeros(flags)) {
      zero(at + from, length);
    } else if ((flags & DmaAttributes.OVERWRITE) == 0) {
      copyIn(at, source, flags, from, length);
    }
  }

  private void copyIn(long at, long source, int flags, long from, long length) {
    MemorySegment view = pool.view(at);
    long offset = SlotPool.offset(at) + from;
    if ((flags & Pieces.STAGED) != 0) {
      copyStaged(segments.get(source), from, view, offset, length, true);
    } else {
      memory.read(source + from, view, offset, length);
    }
    counters.bytesIn.add(length);
  }

  private void copyStaged(MemorySegment segment, long from, MemorySegment view, long offset, long length, boolean in) {
    try {
      if (in) {
        MemorySegment.copy(segment, from, view, offset, length);
      } else {
        MemorySegment.copy(view, offset, segment, from, length);
      }
    } catch (IllegalStateException | WrongThreadException e) {
      throw refusals.segmentGone(in ? "copy into slots a segment's" : "copy out of slots a segment's", segment, length, e);
    }
  }

  /** Takes a part of a buffer over from the device. */
  void takeOver(long at, long source, int flags, long from, long length) {
    if ((flags & MapFlags.DEVICE_WRITES) == 0) {
      return;
    }
    MemorySegment view = pool.view(at);
    long offset = SlotPool.offset(at) + from;
    if ((flags & Pieces.STAGED) != 0) {
      copyStaged(segments.get(source), from, view, offset, length, false);
    } else {
      memory.write(source + from, view, offset, length);
    }
    counters.bytesOut.add(length);
  }

  /** Registers that a piece is given up: what the device wrote is copied out, of what it was ever given, then its slots are free. */
  void giveUp(Pieces pieces, int index, Retirement batch, StagingOps owner) {
    long length = pieces.has(index, Pieces.STAGED) ? -pieces.length(index) : pieces.length(index);
    if (!batch.isUndo() && pieces.has(index, MapFlags.DEVICE_WRITES)) {
      HandedParts parts = pieces.parts(index);
      if (pieces.has(index, Pieces.HANDED)) {
        batch.retire(Retirement.COPY_OUT, owner, pieces.position(index), pieces.source(index), length);
      } else if (parts != null) {
        // Only pieces of windows are handed over in parts, and those are never staged.
        parts.forEach(
            0, length, (from, to) -> batch.retire(Retirement.COPY_OUT, owner, pieces.position(index) + from, pieces.source(index) + from, to - from));
      }
    }
    if (!pieces.has(index, Pieces.FURTHER)) {
      batch.retire(Retirement.SLOTS, owner, pieces.position(index), pieces.source(index), length);
    }
  }

  /** Registers that a piece never reached the device: its slots are free once nothing can reach them. */
  void discard(Pieces pieces, int index, Retirement undo, StagingOps owner) {
    undo.retire(
        Retirement.SLOTS, owner, pieces.position(index), pieces.source(index), pieces.has(index, Pieces.STAGED) ? -1 : 1);
  }

  /** Does what {@link #giveUp} registered; a staged segment has a negative length. */
  void retire(int phase, long at, long source, long length) {
    if (phase == Retirement.COPY_OUT) {
      int flags = MapFlags.DEVICE_WRITES | (length < 0 ? Pieces.STAGED : 0);
      takeOver(at, source, flags, 0, Math.abs(length));
      return;
    }
    if (length < 0) {
      segments.drop(source);
    }
    giveBack(at);
  }

  void close() {
    detached.accept(shared);
  }
}
