package io.twostep.backend.swiotlb;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;

/**
 * The primitives of a device behind translation: heads and tails that share a granule or a cache line with other memory go into slots that own whole granules, what lies between is linked
 * in place.
 *
 * <p>A slot's address agrees with the memory's below the granule, so that a window stays one range for the device.
 */
final class TranslatedBounceOps extends StagingOps {
  private final boolean force;
  private final long granuleMask;
  private final long alignMask;

  TranslatedBounceOps(DmaOps next, DeviceSlots slots, AttachContext context, boolean force) {
    super(next, slots, context.layer());
    this.force = force;
    granuleMask = next.granule() - 1;
    alignMask = Math.max(granuleMask, context.limits().minAlignMask());
  }

  @Override
  public long maxMappingLength() {
    return force || slots.mustShowZeros(MapFlags.DEVICE_WRITES) ? Math.min(slots.mostBytes(), next.maxMappingLength()) : next.maxMappingLength();
  }

  @Override
  public boolean reaches(long phys, long length) {
    return !force && next.reaches(phys, length);
  }

  private boolean bouncesAll(int flags) {
    return force || slots.mustShowZeros(flags);
  }

  private boolean isInPlace(long phys, long length, int flags) {
    return !bouncesAll(flags) && next.reaches(phys, length);
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    if (passes(flags) || isInPlace(phys, length, flags) || length > next.maxMappingLength()) {
      next.map(state, phys, length, flags, undo);
    } else if (middle(phys, length, flags) == 0) {
      bounce(state, phys, length, flags, undo);
    } else {
      mapSplit(state, phys, length, flags, undo);
    }
  }

  /** Maps a range as a window of slots at the ends and memory between. */
  private void mapSplit(MappingState state, long phys, long length, int flags, Retirement undo) {
    slots.requireAllowed(phys, length, 1, flags);
    long alignment = alignMask == granuleMask ? 0 : alignMask + 1;
    next.reserve(state, phys & alignMask, length, alignment, -1L, flags | MapFlags.STRICT);
    try {
      linkSplit(state, 0, phys, length, flags, undo);
      publish(state, 0, length, undo);
    } catch (RuntimeException e) {
      abandon(state, undo, e);
      throw e;
    }
    state.word(layer, SPLIT);
    state.flags |= MapFlags.NEEDS_SYNC | MapFlags.NEEDS_UNMAP | MapFlags.BOUNCED;
  }

  private void abandon(MappingState state, Retirement undo, RuntimeException cause) {
    try {
      next.release(state, undo);
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
      state.word(layer, SPLIT);
      undo.withhold(this, state.moveFrom(layer));
      return;
    }
    if (state.word(layer) != IN_PLACE) {
      Pieces pieces = pieces(state);
      discard(pieces, 0, pieces.count(), undo);
      state.word(layer, IN_PLACE);
    }
  }

  @Override
  public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
    if ((flags & MapFlags.WINDOW) != 0) {
      requireNothingBounced(length, flags);
    }
    next.reserve(state, lead, length, alignment, highest, flags);
  }

  /** Refuses a window, or units of one, that would have to be bounced. */
  private void requireNothingBounced(long length, int flags) {
    if (bouncesAll(flags) && !passes(flags)) {
      throw slots.refusals().windowBounces(length);
    }
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    if (state.has(MapFlags.WINDOW)) {
      requireNothingBounced(length, flags);
      next.link(state, offset, phys, length, flags, undo);
      return;
    }
    if (passes(flags) || isInPlace(phys, length, flags)) {
      next.link(state, offset, phys, length, flags, undo);
      return;
    }
    slots.requireAllowed(phys, length, 1, flags);
    linkSplit(state, offset, phys, length, flags, undo);
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    int last = to - 1;
    boolean window = state.has(MapFlags.WINDOW);
    if (window) {
      requireNothingBounced(length[from], flags);
    }
    boolean inPlace = window || passes(flags);
    boolean headFits = inPlace || isInPlace(phys[from], length[from], flags);
    boolean tailFits = inPlace || isInPlace(phys[last], length[last], flags);
    if (headFits && tailFits) {
      next.linkRun(state, offset, phys, length, from, to, flags, undo);
      return;
    }
    int bounced = headFits ? last : from;
    slots.requireAllowed(phys[bounced], length[bounced], 1, flags);
    long done = 0;
    try {
      int i = from;
      while (i < to) {
        if (isInPlace(phys[i], length[i], flags)) {
          int end = endInPlace(phys, length, i, to, flags);
          next.linkRun(state, offset + done, phys, length, i, end, flags, undo);
          while (i < end) {
            done += length[i++];
          }
        } else {
          linkSplit(state, offset + done, phys[i], length[i], flags, undo);
          done += length[i++];
        }
      }
    } catch (RuntimeException e) {
      unlinkAgain(state, offset, done, undo, e);
      throw e;
    }
  }

  @Override
  public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
    requireNothingBounced(length, (state.flags & ~MapFlags.ACCESS) | access);
    next.protect(state, offset, length, access, batch);
  }

  private int endInPlace(long[] phys, long[] length, int from, int to, int flags) {
    int end = from + 1;
    while (end < to && isInPlace(phys[end], length[end], flags)) {
      end++;
    }
    return end;
  }

  /** Links a range by slots where its ends cannot be linked, and in place between; all or nothing. */
  private void linkSplit(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    long middle = middle(phys, length, flags);
    long head = middle == 0 ? length : head(phys, length);
    long tail = length - head - middle;
    long done = 0;
    try {
      if (head != 0) {
        linkPiece(state, offset, phys, head, flags, undo);
        done = head;
      }
      if (middle != 0) {
        next.link(state, offset + done, phys + done, middle, flags, undo);
        done += middle;
      }
      if (tail != 0) {
        linkPiece(state, offset + done, phys + done, tail, flags, undo);
      }
    } catch (RuntimeException e) {
      unlinkAgain(state, offset, done, undo, e);
      throw e;
    }
  }

  /** Returns the bytes that can be linked in place between head and tail; 0 if all has to be bounced. */
  private long middle(long phys, long length, int flags) {
    if (bouncesAll(flags)) {
      return 0;
    }
    long head = head(phys, length);
    long tail = head == length ? 0 : tail(phys, length);
    long middle = length - head - tail;
    return middle != 0 && next.reaches(phys + head, middle) ? middle : 0;
  }

  /** Returns the bytes before the first whole granule, unless they can be linked as they are. */
  private long head(long phys, long length) {
    long head = Math.min(length, -phys & granuleMask);
    return head == 0 || (head < length && next.reaches(phys, head)) ? 0 : head;
  }

  private long tail(long phys, long length) {
    long tail = Math.min(length, phys + length & granuleMask);
    return tail == 0 || (tail < length && next.reaches(phys + length - tail, tail)) ? 0 : tail;
  }

  private void linkPiece(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    Pieces pieces = pieces(state);
    if (state.word(layer) == IN_PLACE) {
      pieces.clear();
      state.word(layer, IN_PIECES);
      state.flags |= MapFlags.NEEDS_SYNC | MapFlags.NEEDS_UNMAP | MapFlags.BOUNCED;
    }
    long at = slots.take(length, phys, 1);
    try {
      // An untrusted device finds zeros until the piece is handed over.
      slots.scrub(at, length, !slots.untrusted() && isCopiedIn(flags));
      next.link(state, offset, slots.phys(at), length, slots.slotFlags(flags), undo);
      pieces.add(offset, length, phys, at, flags);
    } catch (RuntimeException e) {
      undo.retire(Retirement.SLOTS, this, at, phys, 1);
      throw e;
    }
  }

  /** Takes out what a failing call has linked; the device never owned it, so that nothing is copied out. */
  private void unlinkAgain(MappingState state, long offset, long length, Retirement undo, RuntimeException cause) {
    if (length == 0) {
      return;
    }
    try {
      next.unlink(state, offset, length, undo);
    } catch (RuntimeException e) {
      // The pieces stay with the window, which is taken down as a whole.
      cause.addSuppressed(e);
      return;
    }
    if (state.word(layer) != IN_PLACE) {
      Pieces pieces = pieces(state);
      int from = pieces.firstAt(offset);
      discard(pieces, from, pieces.firstAt(offset + length), undo);
    }
  }

  private void discard(Pieces pieces, int from, int to, Retirement undo) {
    for (int i = from; i < to; i++) {
      slots.discard(pieces, i, undo, this);
    }
    pieces.remove(from, to);
  }
}
