package io.twostep.backend.swiotlb;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;

/**
 * The primitives of a device that reaches everything: passes all on, and stages memory that is not the machine's.
 *
 * <p>Also the ground of the ops that bounce: a mapping that lives in slots as a whole is made, synchronised and given up here.
 */
sealed class StagingOps extends ForwardingOps permits DirectBounceOps, TranslatedBounceOps {
  /** Nothing of the mapping or window is in slots. */
  static final long IN_PLACE = 0;

  /** All of the mapping is in slots. */
  static final long IN_SLOTS = 1;

  /** All of the mapping is in slots, and the ops below have nothing to unmap. */
  static final long IN_SLOTS_ONLY = 2;

  /** Pieces of the window are in slots. */
  static final long IN_PIECES = 3;

  /** Pieces of the mapping are in slots; below it is a window. */
  static final long SPLIT = 4;

  final DeviceSlots slots;
  final int layer;

  StagingOps(DmaOps next, DeviceSlots slots, int layer) {
    super(next);
    this.slots = slots;
    this.layer = layer;
  }

  @Override
  public final long optimalMappingLength() {
    return Math.min(next.optimalMappingLength(), maxMappingLength());
  }

  @Override
  public int mapInPlace(long[] phys, long[] length, int from, int to, int flags, long[] dmaAddress) {
    return next.mapInPlace(phys, length, from, to, flags, dmaAddress);
  }

  @Override
  public final void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    slots.requireAllowed(0, segment.byteSize(), DeviceSlots.SEGMENT, flags);
    if (!segment.scope().isAlive() || !segment.isAccessibleBy(Thread.currentThread())) {
      // Also where nothing is copied in now: at the end it would be too late to say so.
      throw slots.refusals().segmentGone("map a segment of", segment, segment.byteSize(), null);
    }
    long at = slots.take(segment.byteSize(), 0, DeviceSlots.SEGMENT);
    stand(state, at, slots.keep(segment), segment.byteSize(), flags | Pieces.STAGED);
    mapSlots(state, at, segment.byteSize(), flags, undo);
  }

  @Override
  public final void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    long bytes = 0;
    for (int i = 0; i < count; i++) {
      bytes += length[i];
    }
    slots.requireAllowed(phys[0], bytes, count, flags);
    long at = slots.take(bytes, phys[0], count);
    Pieces pieces = pieces(state);
    pieces.clear();
    long offset = 0;
    for (int i = 0; i < count; i++) {
      pieces.add(offset, length[i], phys[i], at + offset, flags | Pieces.HANDED | (i == 0 ? 0 : Pieces.FURTHER));
      offset += length[i];
    }
    mapSlots(state, at, bytes, flags, undo);
  }

  /** Maps memory by slots in its place. */
  final void bounce(MappingState state, long phys, long length, int flags, Retirement undo) {
    slots.requireAllowed(phys, length, 1, flags);
    long at = slots.take(length, phys, 1);
    stand(state, at, phys, length, flags);
    mapSlots(state, at, length, flags, undo);
  }

  /** Lets slots stand for one source as a whole. */
  private void stand(MappingState state, long at, long source, long length, int flags) {
    Pieces pieces = pieces(state);
    pieces.clear();
    pieces.add(0, length, source, at, flags | Pieces.HANDED);
  }

  /** Fills and maps the slots that the state's pieces, the first of which owns them, lie in. */
  private void mapSlots(MappingState state, long at, long length, int flags, Retirement undo) {
    Pieces pieces = pieces(state);
    try {
      // Before it is mapped: from then on the device may look.
      slots.scrub(at, length, isCopiedIn(flags));
      for (int i = 0; i < pieces.count(); i++) {
        slots.handOver(pieces.position(i), pieces.source(i), pieces.flags(i), 0, pieces.length(i));
      }
      next.map(state, slots.phys(at), length, slots.slotFlags(flags), undo);
    } catch (RuntimeException e) {
      slots.discard(pieces, 0, undo, this);
      throw e;
    }
    state.word(layer, (state.flags & MapFlags.HEARS_UNMAP) != 0 ? IN_SLOTS : IN_SLOTS_ONLY);
    state.flags |= MapFlags.NEEDS_SYNC | MapFlags.NEEDS_UNMAP | MapFlags.BOUNCED;
  }

  final boolean isCopiedIn(int flags) {
    return (flags & DmaAttributes.OVERWRITE) == 0 && !slots.mustShowZeros(flags);
  }

  @Override
  public final void unmap(MappingState state, Retirement batch) {
    long mode = state.word(layer);
    if (mode == IN_PLACE) {
      next.unmap(state, batch);
      return;
    }
    if (mode == SPLIT) {
      next.release(state, batch);
    } else if (mode == IN_SLOTS) {
      next.unmap(state, batch);
    }
    giveUpAll(state, batch);
  }

  /** Registers all pieces for release, now that nothing below leads to them but what the batch invalidates. */
  private void giveUpAll(MappingState state, Retirement batch) {
    Pieces pieces = pieces(state);
    for (int i = 0; i < pieces.count(); i++) {
      slots.giveUp(pieces, i, batch, this);
    }
    pieces.clear();
    state.word(layer, IN_PLACE);
  }

  /** Hands over the pieces in the range that were not handed over before, then makes everything visible. */
  @Override
  public final void publish(MappingState state, long offset, long length, Retirement undo) {
    if (state.word(layer) == IN_PLACE) {
      next.publish(state, offset, length, undo);
      return;
    }
    Pieces pieces = pieces(state);
    long end = offset + length;
    for (int i = pieces.firstAt(offset); i < pieces.count() && pieces.offset(i) < end; i++) {
      if (!pieces.has(i, Pieces.HANDED)) {
        handOverNew(pieces, i, offset, end);
      }
    }
    next.publish(state, offset, length, undo);
    for (int i = pieces.firstAt(offset); i < pieces.count() && pieces.offset(i) < end; i++) {
      pieces.handed(i, from(pieces, i, offset), to(pieces, i, end));
    }
  }

  /** Hands over what the device does not have yet; the first time all of the piece, since the device can look beyond the part. */
  private void handOverNew(Pieces pieces, int i, long offset, long end) {
    HandedParts parts = pieces.parts(i);
    if (parts == null) {
      slots.handOver(pieces.position(i), pieces.source(i), pieces.flags(i), 0, pieces.length(i));
    } else {
      parts.forEachGap(
          from(pieces, i, offset),
          to(pieces, i, end),
          (from, to) -> slots.handOver(pieces.position(i), pieces.source(i), pieces.flags(i), from, to - from));
    }
  }

  /** Returns where in a piece a range begins. */
  private static long from(Pieces pieces, int i, long offset) {
    return Math.max(0, offset - pieces.offset(i));
  }

  /** Returns where in a piece a range ends. */
  private static long to(Pieces pieces, int i, long end) {
    return Math.min(pieces.length(i), end - pieces.offset(i));
  }

  private void handOver(Pieces pieces, int i, long offset, long end) {
    long from = from(pieces, i, offset);
    slots.handOver(pieces.position(i), pieces.source(i), pieces.flags(i), from, to(pieces, i, end) - from);
  }

  /** Copies out what the device was given: slots hold nobody's bytes, or old ones, elsewhere. */
  private void takeOver(Pieces pieces, int i, long offset, long end) {
    long begin = from(pieces, i, offset);
    HandedParts parts = pieces.parts(i);
    if (parts != null) {
      parts.forEach(
          begin, to(pieces, i, end), (from, to) -> slots.takeOver(pieces.position(i), pieces.source(i), pieces.flags(i), from, to - from));
    } else if (pieces.has(i, Pieces.HANDED)) {
      slots.takeOver(pieces.position(i), pieces.source(i), pieces.flags(i), begin, to(pieces, i, end) - begin);
    }
  }

  @Override
  public final void unlink(MappingState state, long offset, long length, Retirement batch) {
    if (state.word(layer) == IN_PLACE) {
      next.unlink(state, offset, length, batch);
      return;
    }
    Pieces pieces = pieces(state);
    long end = offset + length;
    int from = pieces.firstAt(offset);
    int to = from;
    for (; to < pieces.count() && pieces.offset(to) < end; to++) {
      if (pieces.offset(to) < offset || pieces.offset(to) + pieces.length(to) > end) {
        throw slots.refusals().cut(offset, length, pieces.offset(to), pieces.length(to));
      }
    }
    next.unlink(state, offset, length, batch);
    for (int i = from; i < to; i++) {
      slots.giveUp(pieces, i, batch, this);
    }
    pieces.remove(from, to);
  }

  @Override
  public final void release(MappingState state, Retirement batch) {
    next.release(state, batch);
    if (state.word(layer) != IN_PLACE) {
      giveUpAll(state, batch);
    }
  }

  /** Copies exactly the bytes asked for that are in slots, and has the rest synchronised below. */
  @Override
  public final void sync(MappingState state, long offset, long length, int toward) {
    long mode = state.word(layer);
    boolean below = mode != IN_SLOTS && mode != IN_SLOTS_ONLY;
    if (below && toward == TOWARD_CPU) {
      next.sync(state, offset, length, toward);
    }
    if (mode != IN_PLACE) {
      Pieces pieces = pieces(state);
      long end = offset + length;
      for (int i = pieces.firstAt(offset); i < pieces.count() && pieces.offset(i) < end; i++) {
        if (toward == TOWARD_DEVICE) {
          handOver(pieces, i, offset, end);
        } else {
          takeOver(pieces, i, offset, end);
        }
      }
    }
    if (below && toward == TOWARD_DEVICE) {
      next.sync(state, offset, length, toward);
    }
  }

  @Override
  public final long physOf(MappingState state, long offset) {
    if (state.word(layer) != IN_PLACE) {
      Pieces pieces = pieces(state);
      int i = pieces.firstAt(offset);
      if (i < pieces.count() && pieces.offset(i) <= offset) {
        return pieces.has(i, Pieces.STAGED) ? ABSENT : pieces.source(i) + (offset - pieces.offset(i));
      }
    }
    return next.physOf(state, offset);
  }

  @Override
  public final void retire(int phase, long a, long b, long c) {
    slots.retire(phase, a, b, c);
  }

  @Override
  public final void close() {
    try {
      next.close();
    } finally {
      slots.close();
    }
  }

  final Pieces pieces(MappingState state) {
    if (state.object(layer) instanceof Pieces pieces) {
      return pieces;
    }
    Pieces pieces = new Pieces();
    state.object(layer, pieces);
    return pieces;
  }

  /** Tells whether memory is none of this layer's business: never cached, or a peer's. */
  static boolean passes(int flags) {
    return (flags & (MapFlags.COHERENT_MEMORY | MapFlags.PEER)) != 0;
  }
}
